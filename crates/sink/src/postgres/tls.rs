//! TLS as `sslmode` asks for it, with libpq's meanings.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use postgres::config::SslMode;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// What of the server is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verify {
    /// Nothing: what passes is hidden from those who only listen.
    Nothing,
    /// That a trusted authority signed its certificate.
    Chain,
    /// That, and that the certificate is for this host.
    Host,
}

/// What a URL says of TLS.
#[derive(Debug)]
pub(super) struct Settings {
    /// Whether there is TLS.
    pub(super) mode: SslMode,
    verify: Verify,
    /// File of trusted authorities.
    roots: Option<String>,
}

/// Takes the parameters of TLS out of a URL; gives the rest of it.
pub(super) fn settings(url: &str) -> Result<(String, Settings), String> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut rest = Vec::new();
    let (mut mode, mut roots) = ("prefer".to_owned(), None);
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = || percent_decode_str(value).decode_utf8_lossy().into_owned();
        match name {
            "sslmode" => mode = value(),
            "sslrootcert" => roots = Some(value()).filter(|v| v != "system"),
            _ => rest.push(pair),
        }
    }
    let (mode, verify) = match mode.as_str() {
        "disable" => (SslMode::Disable, Verify::Nothing),
        "allow" | "prefer" => (SslMode::Prefer, Verify::Nothing),
        "require" if roots.is_some() => (SslMode::Require, Verify::Chain),
        "require" => (SslMode::Require, Verify::Nothing),
        "verify-ca" => (SslMode::Require, Verify::Chain),
        "verify-full" => (SslMode::Require, Verify::Host),
        _ => return Err("sslmode is one of disable, prefer, require, verify-ca, verify-full".to_owned()),
    };
    let rest = if rest.is_empty() {
        base.to_owned()
    } else {
        format!("{base}?{}", rest.join("&"))
    };
    Ok((rest, Settings { mode, verify, roots }))
}

/// Makes the client's side of TLS.
pub(super) fn client(settings: &Settings) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let wrong = |e: &dyn std::fmt::Display| format!("sslrootcert: {e}");
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(&e))?;
    let chain = match settings.verify {
        Verify::Nothing => None,
        Verify::Chain | Verify::Host => {
            let roots = Arc::new(roots(settings.roots.as_deref())?);
            let chain = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
            Some(chain.map_err(|e| wrong(&e))?)
        }
    };
    let verifier = Arc::new(Verifier {
        provider,
        chain,
        any_host: settings.verify != Verify::Host,
    });
    let config = builder
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

fn roots(file: Option<&str>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    let wrong = |e: &dyn std::fmt::Display| format!("sslrootcert {file}: {e}");
    for certificate in CertificateDer::pem_file_iter(file).map_err(|e| wrong(&e))? {
        roots
            .add(certificate.map_err(|e| wrong(&e))?)
            .map_err(|e| wrong(&e))?;
    }
    if roots.is_empty() {
        return Err(wrong(&"it holds no certificate"));
    }
    Ok(roots)
}

/// Verifies of a server what is asked for, and always that it has the key of its certificate.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// Knows the trusted authorities; none where any certificate will do.
    chain: Option<Arc<WebPkiServerVerifier>>,
    any_host: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(certificate, between, host, ocsp, now) {
            // The host is looked at last: whoever fails there has passed everything else.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.any_host => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
