//! Which servers receive a token: a test server with TLS asks for a password and reports it.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use store::{ConnectSettings, IamLogIn, PgPool, connect_lazy, ping};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// PostgreSQL manual, "Message Formats": AuthenticationCleartextPassword, AuthenticationOk and
/// ReadyForQuery.
const ASK_PASSWORD: &[u8] = &[b'R', 0, 0, 0, 8, 0, 0, 0, 3];
const WELCOME: &[u8] = &[b'R', 0, 0, 0, 8, 0, 0, 0, 0, b'Z', 0, 0, 0, 5, b'I'];

struct Server {
    port: u16,
    root: tempfile::NamedTempFile,
    passwords: UnboundedReceiver<String>,
}

impl Server {
    async fn start() -> Self {
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
        let (sender, passwords) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(password) = log_in(stream, &acceptor).await {
                    sender.send(password).ok();
                }
            }
        });
        Self {
            port,
            root,
            passwords,
        }
    }

    fn pool(&self, host: &str, parameters: &str) -> PgPool {
        let url = format!(
            "postgres://ingest@{host}:{}/pipeline{parameters}",
            self.port
        );
        connect_lazy(&ConnectSettings {
            acquire_timeout: Duration::from_secs(5),
            ..ConnectSettings::new(url, "test")
        })
        .unwrap()
    }

    fn roots(&self) -> String {
        format!("?sslrootcert={}", self.root.path().display())
    }
}

/// Accepts a log-in, returns its password and closes the connection.
async fn log_in(mut stream: TcpStream, acceptor: &TlsAcceptor) -> std::io::Result<String> {
    let mut request_for_tls = [0; 8];
    stream.read_exact(&mut request_for_tls).await?;
    stream.write_all(b"S").await?;
    let mut stream = acceptor.accept(stream).await?;
    read_body(&mut stream).await?;
    stream.write_all(ASK_PASSWORD).await?;
    assert_eq!(stream.read_u8().await?, b'p');
    let mut password = read_body(&mut stream).await?;
    assert_eq!(password.pop(), Some(0));
    stream.write_all(WELCOME).await?;
    stream.shutdown().await?;
    Ok(String::from_utf8(password).unwrap())
}

/// Reads a message body; its length field includes itself.
async fn read_body(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_u32().await?).unwrap();
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

fn iam() -> IamLogIn {
    let credentials = Credentials::new("akid", "secret", None, None, "test");
    IamLogIn::new(credentials, "us-east-1")
}

/// 2024-08-26T22:00:00Z and some minutes.
fn minutes(count: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_724_709_600 + count * 60)
}

#[tokio::test]
async fn every_new_connection_logs_in_with_the_token_of_its_time() {
    let mut server = Server::start().await;
    let pool = server.pool("localhost", &server.roots());
    for (count, date) in [(0, "20240826T220000Z"), (20, "20240826T222000Z")] {
        iam().renew(&pool, minutes(count)).unwrap();
        // The server closes the connection after the log-in.
        ping(&pool).await.unwrap_err();
        let password = server.passwords.recv().await.unwrap();
        let start = format!("localhost:{}/?Action=connect&DBUser=ingest&", server.port);
        assert!(password.starts_with(&start), "{password}");
        assert!(
            password.contains(&format!("&X-Amz-Date={date}&X-Amz-Expires=900&")),
            "{password}"
        );
    }
}

#[tokio::test]
async fn token_is_not_sent_to_a_server_whose_certificate_is_not_the_right_one() {
    let mut server = Server::start().await;
    for pool in [
        // It is not signed by a root certificate of RDS.
        server.pool("localhost", "?sslmode=require"),
        // It is for another host name.
        server.pool("127.0.0.1", &server.roots()),
    ] {
        iam().renew(&pool, minutes(0)).unwrap();
        let error = ping(&pool).await.unwrap_err().to_string();
        assert!(error.contains("certificate"), "{error}");
        assert!(!error.contains("X-Amz"), "{error}");
    }
    assert!(server.passwords.try_recv().is_err());
}
