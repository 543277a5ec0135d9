//! Name resolution, passed in so that tests need no DNS.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// Answers of a fixed resolver: a list of answers for each name, given one after the other, the last one for ever.
pub type FixedNames = Arc<Mutex<HashMap<String, Vec<Vec<IpAddr>>>>>;

/// Where addresses of names come from.
#[derive(Debug, Clone)]
pub enum Names {
    /// The operating system.
    System,
    /// A table.
    Fixed(FixedNames),
}

impl Names {
    /// The addresses of a name.
    pub async fn lookup(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        match self {
            Self::System => Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()),
            Self::Fixed(table) => {
                let mut table = table.lock();
                let answers = table
                    .get_mut(host)
                    .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::NotFound, "no such name"))?;
                Ok(if answers.len() > 1 { answers.remove(0) } else { answers.first().cloned().unwrap_or_default() })
            }
        }
    }
}
