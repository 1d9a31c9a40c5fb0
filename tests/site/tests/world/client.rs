//! An HTTP client that shows every byte: one request, one connection.

use std::io::Read;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn unpacked(&self) -> std::io::Result<Vec<u8>> {
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(self.body.as_slice()).read_to_end(&mut out)?;
        Ok(out)
    }

    pub(crate) fn text(&self) -> String {
        let charset = self
            .header("content-type")
            .and_then(|value| value.split("charset=").nth(1));
        let encoding = charset.and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()));
        encoding
            .unwrap_or(encoding_rs::UTF_8)
            .decode(&self.body)
            .0
            .into_owned()
    }
}

/// Sends a GET and reads until the server closes.
pub(crate) async fn get(url: &str, headers: &[(&str, &str)]) -> std::io::Result<Reply> {
    let rest = url.strip_prefix("http://").expect("only http");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).await?;
    let mut request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{request}\r\n").as_bytes()).await?;
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).await?;
    let end = raw
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("an end of the headers");
    let (head, body) = raw.split_at(end);
    let head = String::from_utf8_lossy(head).into_owned();
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|code| code.parse().ok());
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Ok(Reply {
        status: status.expect("a status"),
        headers,
        body: body.get(4..).unwrap_or_default().to_vec(),
    })
}
