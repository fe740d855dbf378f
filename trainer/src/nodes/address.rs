//! The address of a node on the command line.

use std::fmt::{self, Display};
use std::str::FromStr;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "write host:port, such as 127.0.0.1:7401 or [::1]:7401";
        let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("there is no port: {example}"))?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host =
            |host: &str| !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
        let is_ip6 = |host: &str| host.parse::<std::net::Ipv6Addr>().is_ok();
        if !bare.map_or_else(|| is_host(host), is_ip6) {
            return Err(format!("'{host}' is no name of a host: {example}"));
        }
        match port.parse() {
            Ok(port) if port > 0 => Ok(Self { host: host.into(), port }),
            _ => Err(format!("'{port}' is no port: {example}")),
        }
    }
}

impl Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}
