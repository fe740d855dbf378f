//! Ends idle connections, such as those of a tab that was closed in the middle of a download, or of a machine that
//! sleeps, and answers connections that speak no HTTP/1. axum's own listener has no timeout, and hyper closes a connection
//! that it does not understand without a word.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep};

/// A listener whose connections end after a time without a byte in either direction.
pub struct TimeoutListener {
    /// The bound socket.
    pub listener: TcpListener,
    /// Time after which an idle connection ends.
    pub timeout: Duration,
}

/// A connection of a [`TimeoutListener`].
pub struct Connection {
    stream: TcpStream,
    timeout: Duration,
    end: Pin<Box<Sleep>>,
    talk: Talk,
}

/// How far the talk on a connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Talk {
    /// Nothing was said yet.
    Silent,
    /// Bytes came, and none were sent.
    Asked,
    /// Bytes were sent.
    Answered,
}

/// Answer to what is no request of HTTP/1.
const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 58\r\n\
                             Connection: close\r\n\r\nThis server speaks HTTP/1.1 only: use http://, not https.\n";

/// The first two bytes of a TLS connection: a handshake of version 3.
const TLS_HELLO: [u8; 2] = [0x16, 0x03];

impl Listener for TimeoutListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Head and body are sent one after the other, and a short body must not wait until the head is acknowledged. An
        // error only costs that delay.
        let _ = stream.set_nodelay(true);
        (Connection { stream, timeout: self.timeout, end: Box::pin(sleep(self.timeout)), talk: Talk::Silent }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connection {
    /// Returns the outcome of a read or a write, or an error once neither has been ready for the timeout.
    fn with_timeout<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.end.as_mut().reset(Instant::now() + self.timeout);
            return polled;
        }
        ready!(self.end.as_mut().poll(context));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }

    /// Takes note of bytes that came.
    fn heard(&mut self, bytes: &[u8]) {
        if self.talk != Talk::Silent || bytes.is_empty() {
            return;
        }
        self.talk = Talk::Asked;
        if bytes.starts_with(&TLS_HELLO)
            && let Ok(address) = self.stream.local_addr()
        {
            eprintln!("a browser asked for https://{address}/, and this server has no TLS: open http://{address}/");
        }
    }

    /// Says that a request was none, unless something was answered.
    fn refuse(&mut self) {
        if self.talk == Talk::Asked {
            self.talk = Talk::Answered;
            // Nothing was sent yet, so that the system takes it at once; where it does not, the connection just ends.
            let _ = self.stream.try_write(BAD_REQUEST);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.refuse();
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, into);
        self.heard(&into.filled()[before..]);
        self.with_timeout(context, polled)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.talk = Talk::Answered;
        self.with_timeout(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.refuse();
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
