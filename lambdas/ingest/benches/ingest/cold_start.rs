//! How long a function that has just been started needs for its first batch.
//!
//! Invariant: the clock runs from the start of the process until its answer to the runtime API; in
//! between it logs in over verified TLS with a token that the server asks for, and commits ten
//! events. The programs take turns.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use devstack::bench::{Better, Figure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Mutex, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::events::Load;
use crate::peers;
use crate::server::Server;

const BATCH_SIZE: usize = 10;
const STARTS: usize = 21;
const STARTS_QUICK: usize = 3;
const LIMIT: Duration = Duration::from_secs(20);
/// Request for TLS (PostgreSQL manual, "Message Formats", SSLRequest), and what asks for a password.
const TLS_REQUEST_BYTES: usize = 8;
const ASK_PASSWORD: &[u8] = &[b'R', 0, 0, 0, 8, 0, 0, 0, 3];
/// Where the deployed function is built.
const BINARY: &str = "../../target/shipping/ingest";

pub(crate) async fn measure(server: &mut Server, is_quick: bool) -> Vec<Figure> {
    let starts = if is_quick { STARTS_QUICK } else { STARTS };
    let load = Load::new(BATCH_SIZE, 2 * starts);
    let binary = Path::new(env!("CARGO_MANIFEST_DIR")).join(BINARY);
    let database = server.database().await;
    let door = Door::open(server.socket()).await;
    let url = format!(
        "postgres://opsconsole@localhost:{}/{}?sslmode=verify-full&sslrootcert={}",
        door.port,
        database.name,
        door.root.path().display()
    );
    let (mut ours, mut python) = (Vec::new(), Vec::new());
    let mut python_is_absent = None;
    let mut files = (1..).map(|number| load.folder().join(format!("{number:05}.json")));
    for _ in 0..starts {
        let file = files.next().unwrap();
        if binary.is_file() {
            let mut command = Command::new(&binary);
            command
                .env("DATABASE_URL", &url)
                .env("DATABASE_IAM_AUTH", "true");
            ours.push(start(command, &file).await);
        }
        let file = files.next().unwrap();
        match peers::python().script("peer.py", &["function"]) {
            Ok(mut command) => {
                // A token made beforehand: the peer is spared the work of making it.
                let token = format!("localhost:{}/?Action=connect", door.port);
                command.arg(&url).env("PGPASSWORD", token);
                python.push(start(command, &file).await);
            }
            Err(why) => python_is_absent = Some(why),
        }
    }
    let stored = BATCH_SIZE * (ours.len() + python.len());
    assert_eq!(database.counts().await, (stored, stored));
    server.drop(database).await;
    figures(&binary, ours, python, python_is_absent)
}

fn figures(
    binary: &Path,
    ours: Vec<f64>,
    python: Vec<f64>,
    python_is_absent: Option<String>,
) -> Vec<Figure> {
    let is_absent = "build it with `cargo build --profile shipping --bin ingest`";
    let absent =
        |name: &str, unit, why: &str| Figure::absent(name.to_owned(), unit, Better::Lower, why);
    let Ok(file) = binary.metadata() else {
        return vec![
            absent("cold_start_ms", "ms", is_absent),
            absent("binary_bytes", "bytes", is_absent),
        ];
    };
    let ratios = ours.iter().zip(&python).map(|(ours, python)| python / ours);
    let ratio = Figure::new(
        "cold_start_python_ratio",
        "ratio",
        Better::Higher,
        ratios.collect(),
    );
    vec![
        Figure::new("cold_start_ms", "ms", Better::Lower, ours).target(20.0),
        match &python_is_absent {
            Some(why) => absent("cold_start_python_ms", "ms", why),
            None => Figure::new("cold_start_python_ms", "ms", Better::Lower, python),
        },
        match &python_is_absent {
            Some(why) => absent("cold_start_python_ratio", "ratio", why),
            None => ratio.target(20.0),
        },
        Figure::new(
            "binary_bytes",
            "bytes",
            Better::Lower,
            vec![file.len() as f64],
        )
        .target(6_000_000.0),
    ]
}

/// Starts a function on one invocation; milliseconds until it has answered.
async fn start(mut command: Command, invocation: &Path) -> f64 {
    let (answered, mut answer) = mpsc::unbounded_channel();
    let api = Arc::new(Api {
        invocation: Mutex::new(Some(std::fs::read_to_string(invocation).unwrap())),
        answered,
    });
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(took))
        .with_state(api);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    command
        .env(
            "AWS_LAMBDA_RUNTIME_API",
            listener.local_addr().unwrap().to_string(),
        )
        .env("AWS_LAMBDA_FUNCTION_NAME", "ingest")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "bench")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "akid")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .stdout(Stdio::null());
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let begun = Instant::now();
    let mut function = command.spawn().unwrap();
    let ended: Instant = tokio::time::timeout(LIMIT, answer.recv())
        .await
        .expect("no answer in time")
        .unwrap();
    function.kill().unwrap();
    function.wait().unwrap();
    serving.abort();
    (ended - begun).as_secs_f64() * 1_000.0
}

/// The runtime API (AWS Lambda developer guide, "Using the Lambda runtime API") with one invocation.
struct Api {
    invocation: Mutex<Option<String>>,
    answered: mpsc::UnboundedSender<Instant>,
}

async fn next(State(api): State<Arc<Api>>) -> (HeaderMap, String) {
    let Some(invocation) = api.invocation.lock().await.take() else {
        return std::future::pending().await;
    };
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + LIMIT;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", "cold-start".to_owned()),
        (
            "lambda-runtime-deadline-ms",
            deadline.as_millis().to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:ingest".to_owned(),
        ),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    (headers, invocation)
}

async fn took(State(api): State<Arc<Api>>, answer: String) -> StatusCode {
    assert!(!answer.contains("itemIdentifier"), "not stored: {answer}");
    api.answered.send(Instant::now()).unwrap();
    StatusCode::ACCEPTED
}

/// The way into the server over TLS: it asks for a token as RDS does and checks whose it is.
struct Door {
    port: u16,
    root: tempfile::NamedTempFile,
}

impl Door {
    async fn open(socket: PathBuf) -> Self {
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
                    // A client that was killed is no failure.
                    let _ = let_in(client, &acceptor, &socket, port).await;
                });
            }
        });
        Self { port, root }
    }
}

async fn let_in(
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

/// What follows a length that counts itself.
async fn read_body(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_u32().await?).unwrap();
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await?;
    Ok(body)
}
