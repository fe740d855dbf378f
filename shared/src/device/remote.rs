//! Devices of other machines, and this machine's device for others: burn's remote backend over WebSocket.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};

use burn::prelude::*;
pub use burn::remote::ConnectError;
use burn::remote::RemoteHost;
pub use burn::server::ServeError;
use burn::server::{AuthorizationRequest, ClientId, PeerAuthorizer, RemoteServer, TokenAuthorizer, WebSocketTransport};

/// Opens the device that a server at `address` (`host:port`) serves, plain. Blocks until the server has answered.
///
/// # Errors
///
/// [`ConnectError`] if there is no server, it refuses the token, or it is of another version of burn.
pub fn connect(address: &str, token: &str) -> Result<Device, ConnectError> {
    let host = RemoteHost::websocket(&format!("ws://{address}")).with_credential(token);
    Device::remote_options(&host).init()
}

/// Serves `device` to callers that have `token`, on `listener`, until the returned future is dropped. Calls `asked` with the
/// caller's address at each request, and whether the token was right.
///
/// To be polled in a Tokio runtime with several threads. An empty token lets nobody in.
///
/// # Errors
///
/// [`ServeError`] if the device's backend cannot be served, or the listener fails.
pub fn serve<F: Fn(Option<SocketAddr>, bool) + Send + Sync + 'static>(
    device: Device,
    listener: TcpListener,
    token: &str,
    asked: F,
) -> impl Future<Output = Result<(), ServeError>> + Send + 'static + use<F> {
    let authorizer = TokenAuthorizer::new(token).ok();
    let authorize = move |request: AuthorizationRequest<'_>| {
        let caller = match request.client {
            ClientId::WebSocket(address) => Some(address),
            ClientId::Iroh(_) => None,
        };
        let answer = match &authorizer {
            Some(authorizer) => authorizer.authorize(request),
            None => Err("this server has no token".into()),
        };
        asked(caller, answer.is_ok());
        answer
    };
    RemoteServer::new([device]).with_authorizer(authorize).serve_async(WebSocketTransport::from_listener(listener))
}
