//! One connection.
//!
//! Invariant: it ends when a phase reaches its limit, and when the server ends, after the request in progress.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use hyper::Request;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::deadline::Deadline;
use super::front::Front;
use super::limits::ServerLimits;
use super::stop::Stage;

/// A connection that was accepted.
pub(super) struct Connection {
    stream: TcpStream,
    front: Front,
    deadline: Arc<Deadline>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, front: Front, limits: ServerLimits) -> Self {
        // The server sends whole answers; without this the last packet of one may wait for the client.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            front,
            deadline: Arc::new(Deadline::new(limits)),
        }
    }

    /// Serves it until its end.
    pub(super) async fn run(self) {
        let Self {
            stream,
            front,
            deadline,
        } = self;
        let mut stage = front.stage.clone();
        let io = TokioIo::new(Watched {
            stream,
            deadline: Arc::clone(&deadline),
        });
        let service = service_fn(|request: Request<Incoming>| {
            deadline.requested();
            let (front, answered) = (front.clone(), Answered(Arc::clone(&deadline)));
            async move {
                let response = front.answer(request).await;
                let response = response.map(|body| AnswerBody {
                    body,
                    _answered: answered,
                });
                Ok::<_, Infallible>(response)
            }
        });
        let mut connection = pin!(http1::Builder::new().serve_connection(io, service));
        let mut passed = pin!(deadline.passed());
        let mut is_ending = false;
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "connection failed");
                    }
                    return;
                }
                phase = passed.as_mut() => {
                    tracing::info!(?phase, "connection closed at its time limit");
                    return;
                }
                _ = stage.wait_for(|stage| *stage == Stage::Ending), if !is_ending => {
                    is_ending = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// Marks the end of an answer when it is dropped.
struct Answered(Arc<Deadline>);

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.answered();
    }
}

/// The body of an answer, which is dropped after its last part was taken.
struct AnswerBody {
    body: Body,
    _answered: Answered,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The stream, which reports what passes.
struct Watched {
    stream: TcpStream,
    deadline: Arc<Deadline>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.deadline.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called once everything was written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.deadline.sent();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
