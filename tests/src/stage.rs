//! A running server with a receiver next to it: what most tests start from.

use crate::{
    api::Api,
    receiver::Receiver,
    server::{Installation, Server},
};

/// Server, client and receiver. Dropped in this order, so that the server never sees its receiver go.
#[derive(Debug)]
pub struct Stage {
    pub server: Server,
    pub api: Api,
    pub receiver: Receiver,
}

impl Stage {
    pub async fn open() -> Self {
        Self::on(Installation::new()).await
    }

    pub async fn on(installation: Installation) -> Self {
        let receiver = Receiver::start().await;
        let server = installation.start().await;
        let api = server.api();
        Self { server, api, receiver }
    }
}
