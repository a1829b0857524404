//! The network, by `ureq`.

use std::io::{self, Read, Write};
use std::time::Duration;

use ureq::{Agent, Proxy};

use super::{Download, DownloadError};

/// Gets addresses over HTTP and HTTPS, following redirections. The proxy of the environment is the one of `ALL_PROXY`,
/// `HTTPS_PROXY` or `HTTP_PROXY`, but for what `NO_PROXY` names.
#[derive(Debug, Clone)]
pub struct Http(Agent);

impl Default for Http {
    /// Gives up after 30 seconds in which nothing comes, and goes through the proxy of the environment if there is one.
    fn default() -> Self {
        Self::new(Duration::from_secs(30), Proxy::try_from_env())
    }
}

impl Http {
    /// Gives up when `patience` has passed without a connection, an answer or the next bytes of it, however long the
    /// whole takes; and goes to the server itself, whatever proxy the environment names.
    pub fn direct(patience: Duration) -> Self {
        Self::new(patience, None)
    }

    fn new(patience: Duration, proxy: Option<Proxy>) -> Self {
        let config = Agent::config_builder()
            .proxy(proxy)
            .user_agent(concat!("deferral/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(patience))
            .timeout_connect(Some(patience))
            .timeout_recv_response(Some(patience))
            .timeout_per_read(Some(patience));
        Self(config.build().new_agent())
    }
}

impl Download for Http {
    fn get(&self, url: &str, sink: &mut dyn Write) -> Result<u64, DownloadError> {
        let mut response = self.0.get(url).call().map_err(explained)?;
        let mut body = response.body_mut().as_reader();
        let mut piece = vec![0; 64 * 1024];
        let mut size = 0;
        loop {
            let n = match body.read(&mut piece) {
                Ok(0) => return Ok(size),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(DownloadError::Network(format!(
                        "the connection broke off after {size} bytes ({error})"
                    )));
                }
            };
            sink.write_all(piece.get(..n).unwrap_or(&piece))?;
            size += n as u64;
        }
    }
}

fn explained(error: ureq::Error) -> DownloadError {
    match error {
        ureq::Error::StatusCode(status) => DownloadError::Status(status),
        other => DownloadError::Network(format!("no answer ({other})")),
    }
}
