//! `telex health`: asks a running pipeline whether it is ready.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Context;
use super::ask::ask;
use crate::cli::HealthArgs;
use crate::error::CliError;
use crate::output;

/// Prints the answer of `/readyz`; fails where that is not 200.
pub(crate) fn run(context: &Context, args: &HealthArgs) -> Result<(), CliError> {
    let address = args.address.or(context.config.metrics.listen).ok_or_else(|| {
        CliError::Usage("no address: give --address, or set metrics.listen as for the pipeline".to_owned())
    })?;
    let address = reachable(address);
    let answer = ask(address, "/readyz")
        .map_err(|e| CliError::unavailable(format!("{address} does not answer"), &e))?;
    if answer.is_fine() {
        return output::line(answer.body.trim());
    }
    Err(CliError::Findings(format!("not ready: {}", answer.body.trim())))
}

/// Whoever listens everywhere is asked on loopback.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}
