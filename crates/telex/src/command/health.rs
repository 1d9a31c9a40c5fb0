//! `telex health`: asks a running pipeline whether it is ready.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::Context;
use crate::cli::HealthArgs;
use crate::error::CliError;
use crate::output;

/// Health checks of containers have a few seconds.
const WITHIN: Duration = Duration::from_secs(2);

/// Prints the answer of `/readyz`; fails where that is not 200.
pub(crate) fn run(context: &Context, args: &HealthArgs) -> Result<(), CliError> {
    let address = args.address.or(context.config.metrics.listen).ok_or_else(|| {
        CliError::Usage("no address: give --address, or set metrics.listen as for the pipeline".to_owned())
    })?;
    let address = reachable(address);
    let answer = ask(address).map_err(|e| CliError::unavailable(format!("{address} does not answer"), &e))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split_whitespace().nth(1) == Some("200") {
        return output::line(body.trim());
    }
    Err(CliError::Findings(format!("not ready: {}", body.trim())))
}

/// Whoever listens everywhere is asked on loopback.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, WITHIN)?;
    stream.set_read_timeout(Some(WITHIN))?;
    stream.set_write_timeout(Some(WITHIN))?;
    write!(
        stream,
        "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(64 << 10).read_to_string(&mut answer)?;
    Ok(answer)
}
