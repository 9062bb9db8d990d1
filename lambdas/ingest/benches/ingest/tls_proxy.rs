//! A proxy before the server for log-ins over TLS.
//!
//! Invariant: it requires a token, as RDS does, and checks the host that the token is for.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// `SSLRequest` and the request for a password (PostgreSQL manual, "Message Formats").
const TLS_REQUEST_BYTES: usize = 8;
const ASK_PASSWORD: &[u8] = &[b'R', 0, 0, 0, 8, 0, 0, 0, 3];

pub(crate) struct TlsProxy {
    port: u16,
    root: tempfile::NamedTempFile,
}

impl TlsProxy {
    pub(crate) async fn open(socket: PathBuf) -> Self {
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let mut root = tempfile::NamedTempFile::new().unwrap();
        root.write_all(certified.cert.pem().as_bytes()).unwrap();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, socket) = (acceptor.clone(), socket.clone());
                tokio::spawn(async move {
                    // A killed client is no failure.
                    let _ = proxy(client, &acceptor, &socket, port).await;
                });
            }
        });
        Self { port, root }
    }

    /// URL of a database through the proxy; the certificate is verified.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://opsconsole@localhost:{}/{database}?sslmode=verify-full&sslrootcert={}",
            self.port,
            self.root.path().display()
        )
    }

    /// A token for clients that cannot make one.
    pub(crate) fn token(&self) -> String {
        format!("localhost:{}/?Action=connect", self.port)
    }
}

async fn proxy(
    mut client: TcpStream,
    acceptor: &TlsAcceptor,
    socket: &Path,
    port: u16,
) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut request = [0; TLS_REQUEST_BYTES];
    client.read_exact(&mut request).await?;
    client.write_all(b"S").await?;
    let mut client = acceptor.accept(client).await?;
    let start_up = read_body(&mut client).await?;
    client.write_all(ASK_PASSWORD).await?;
    assert_eq!(client.read_u8().await?, b'p');
    let token = read_body(&mut client).await?;
    let expected = format!("localhost:{port}/?Action=connect");
    assert!(
        token.starts_with(expected.as_bytes()),
        "not a token for here"
    );
    let mut server = UnixStream::connect(socket).await?;
    let length = u32::try_from(start_up.len() + 4).unwrap();
    server.write_u32(length).await?;
    server.write_all(&start_up).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// The bytes after a length that includes itself.
async fn read_body(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_u32().await?).unwrap();
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await?;
    Ok(body)
}
