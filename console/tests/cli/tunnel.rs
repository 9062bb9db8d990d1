//! The database through a tunnel, whose command is a plain TCP forwarder: the host of the database cannot be resolved
//! here, its certificate and the token are for that host, and the command ends with the program.

use std::path::PathBuf;
use std::process::Stdio;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Instant;

use ::pipeline::Pipeline;
use ::pipeline::environment::Environment;
use ::pipeline::model::ReadPath;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::pipeline::{Turn, deployed};
use crate::support::configuration::{self, NOBODY};
use crate::support::harness::LIMIT;
use crate::support::program::{Answer, Program};
use crate::support::stack;

/// Not resolvable anywhere (RFC 6761, 6.2).
const HOST: &str = "db.tunnel.test";
const PORT: u16 = 6543;

/// Notes what it was started with, then forwards connections.
const FORWARDER: &str = r#"
import os, socket, sys, threading
host, port, local_port, target, note = sys.argv[1:6]
with open(note + ".new", "w") as file:
    file.write(f"{host} {port} {os.getpid()}")
os.rename(note + ".new", note)
def pump(source, sink):
    while data := source.recv(65536):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)
listener = socket.create_server(("127.0.0.1", int(local_port)))
while True:
    near, _ = listener.accept()
    far = socket.create_connection(("127.0.0.1", int(target)))
    for ends in ((near, far), (far, near)):
        threading.Thread(target=pump, args=ends, daemon=True).start()
"#;

/// Opens no port.
const SILENT: &str = r#"
import os, sys, time
with open(sys.argv[5] + ".new", "w") as file:
    file.write(f"- - {os.getpid()}")
os.rename(sys.argv[5] + ".new", sys.argv[5])
time.sleep(600)
"#;

/// Takes connections, and forwards nothing of them.
const STUCK: &str = r#"
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
taken = []
while True:
    taken.append(listener.accept())
"#;

/// A tunnel that is open and ends each connection, as Session Manager and `ssh -L` do when the far end refuses it.
const CLOSES: &str = r#"
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    listener.accept()[0].close()
"#;

/// The far end of the tunnel: a server with TLS, which the machine trusts by its certificate.
struct Server {
    port: u16,
    certificate: String,
    /// Passwords that it was sent.
    passwords: mpsc::UnboundedReceiver<String>,
}

/// What is behind the TLS.
#[derive(Clone)]
enum Behind {
    /// The database of the stack.
    Database(PathBuf),
    /// A server that asks for the password and closes.
    AsksPassword,
}

impl Server {
    fn start(turn: &Turn, name: &str, behind: Behind) -> Self {
        let certified = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listening = TcpListener::bind("127.0.0.1:0");
        let listener = turn.runtime.block_on(listening).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, passwords) = mpsc::unbounded_channel();
        turn.runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, behind, sender) = (acceptor.clone(), behind.clone(), sender.clone());
                tokio::spawn(async move {
                    // Clients that refuse the certificate end the connection.
                    let _ = serve(socket, acceptor, behind, sender).await;
                });
            }
        });
        Self {
            port,
            certificate: certified.cert.pem(),
            passwords,
        }
    }
}

async fn serve(
    mut socket: TcpStream,
    acceptor: TlsAcceptor,
    behind: Behind,
    passwords: mpsc::UnboundedSender<String>,
) -> std::io::Result<()> {
    // The request for TLS (PostgreSQL manual, "SSL Session Encryption").
    socket.read_exact(&mut [0; 8]).await?;
    socket.write_all(b"S").await?;
    let mut stream = acceptor.accept(socket).await?;
    match behind {
        Behind::Database(socket) => {
            let mut database = UnixStream::connect(socket).await?;
            copy_bidirectional(&mut stream, &mut database).await?;
        }
        Behind::AsksPassword => {
            read_body(&mut stream).await?;
            stream.write_all(b"R\0\0\0\x08\0\0\0\x03").await?;
            stream.flush().await?;
            assert_eq!(stream.read_u8().await?, b'p');
            let mut password = read_body(&mut stream).await?;
            password.pop();
            let _ = passwords.send(String::from_utf8(password).unwrap());
        }
    }
    Ok(())
}

/// A message's length includes itself.
async fn read_body(stream: &mut TlsStream<TcpStream>) -> std::io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_u32().await?).unwrap();
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

/// The socket and the name of the stack's database.
fn database(turn: &Turn) -> (PathBuf, String, String) {
    let options = PgConnectOptions::from_str(&turn.endpoints.database_url).unwrap();
    let socket = options.get_socket().unwrap();
    let socket = socket.join(format!(".s.PGSQL.{}", options.get_port()));
    let name = options.get_database().unwrap().to_owned();
    (socket, options.get_username().to_owned(), name)
}

/// The program behind a tunnel, and where its command leaves its note.
struct Tunnelled {
    program: Program,
    note: PathBuf,
}

impl Tunnelled {
    fn start(turn: &Turn, script: &str, server: &Server, user: &str, more: &str) -> Self {
        let program = Program::new();
        let script = program.write("forwarder.py", script);
        let note = program.home().join("note");
        let command = format!(
            "python3 {} {{host}} {{port}} {{local_port}} {} {}",
            script.display(),
            server.port,
            note.display()
        );
        let roots = program.write("roots.pem", &server.certificate);
        let (_, _, name) = database(turn);
        let url = format!(
            "postgres://{user}@{HOST}:{PORT}/{name}?sslmode=verify-full&sslrootcert={}",
            roots.display()
        );
        let more = format!("database_url = {url:?}\ntunnel = {command:?}\n{more}");
        program.configure(&without_api(turn, &more));
        Self { program, note }
    }

    /// Waits for the note: host and port that the command got, and its process id.
    fn noted(&self) -> [String; 3] {
        let deadline = Instant::now() + LIMIT;
        let text = loop {
            if let Ok(text) = std::fs::read_to_string(&self.note) {
                break text;
            }
            assert!(Instant::now() < deadline, "the command was not started");
            std::thread::yield_now();
        };
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        words.try_into().unwrap()
    }
}

fn without_api(turn: &Turn, more: &str) -> String {
    let text = configuration::by_api(&turn.endpoints, more);
    let api = format!("api_url = {:?}\n", turn.endpoints.api_url);
    assert!(text.contains(&api), "{text}");
    text.replace(&api, "")
}

fn wait_until_gone(pid: &str) {
    let deadline = Instant::now() + LIMIT;
    while is_alive(pid) {
        assert!(Instant::now() < deadline, "process {pid} is still there");
        std::thread::yield_now();
    }
}

fn is_alive(pid: &str) -> bool {
    let pid = nix::unistd::Pid::from_raw(pid.parse().unwrap());
    if nix::sys::signal::kill(pid, None).is_err() {
        return false;
    }
    // One that has ended and was not waited for is there as well.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(!cfg!(target_os = "linux"), |stat| !stat.contains(") Z "))
}

#[test]
fn records_are_read_through_the_tunnel_and_its_command_ends_with_the_program() {
    let turn = deployed();
    let (socket, user, _) = database(&turn);
    let server = Server::start(&turn, HOST, Behind::Database(socket));
    let tunnelled = Tunnelled::start(&turn, FORWARDER, &server, &user, "");
    let temporary = tunnelled.program.home().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let mut command = tunnelled.program.command(&["status", "--output", "json"]);
    let status = Answer::of(command.env("TMPDIR", &temporary).output().unwrap());
    assert_eq!(status.code, 0, "{status:?}");
    let status = status.json();
    assert_eq!(status["reads"], "database", "{status}");
    assert_eq!(status["records"], turn.json(&["status"])["records"]);
    let [host, port, pid] = tunnelled.noted();
    assert_eq!((host.as_str(), port), (HOST, PORT.to_string()));
    wait_until_gone(&pid);
    assert_eq!(std::fs::read_dir(temporary).unwrap().count(), 0);
}

#[test]
fn server_at_the_end_of_the_tunnel_is_verified_by_the_name_of_the_database() {
    let turn = deployed();
    let (socket, user, _) = database(&turn);
    // For the address that is connected to, and not for the database's host.
    let server = Server::start(&turn, "127.0.0.1", Behind::Database(socket));
    let tunnelled = Tunnelled::start(&turn, FORWARDER, &server, &user, "");
    let answer = tunnelled.program.run(&["records", "list"]);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert!(answer.stderr.contains("certificate"), "{answer:?}");
}

#[test]
fn token_is_signed_for_the_host_of_the_database() {
    let turn = deployed();
    let mut server = Server::start(&turn, HOST, Behind::AsksPassword);
    let iam = "database_auth = \"iam\"\n";
    let tunnelled = Tunnelled::start(&turn, FORWARDER, &server, "operator", iam);
    let answer = tunnelled.program.run(&["records", "list"]);
    assert_eq!(answer.code, 3, "{answer:?}");
    let password = server.passwords.try_recv().unwrap();
    let expected = format!("{HOST}:{PORT}/?Action=connect&DBUser=operator&X-Amz-Algorithm=");
    assert!(password.starts_with(&expected), "{password}");
}

#[test]
fn command_that_fails_is_told_with_its_last_line_and_the_api_answers_instead() {
    let turn = deployed();
    let failing = "tunnel = \"sh -c 'echo An error occurred: TargetNotConnected >&2; exit 254' {local_port}\"\n";
    let url = format!("database_url = \"postgres://me@{HOST}/x?sslmode=verify-full\"\n");
    let program = Program::new();
    program.configure(&without_api(&turn, &format!("{url}{failing}")));
    let answer = program.run(&["records", "list"]);
    assert_eq!(answer.code, 3, "{answer:?}");
    let expected = "the tunnel is broken: sh ended with exit status: 254: An error occurred: TargetNotConnected";
    assert!(answer.stderr.contains(expected), "{answer:?}");
    let next_step = "\n  run the command `tunnel` of the environment's entry by hand";
    assert!(answer.stderr.contains(next_step), "{answer:?}");
    program.configure(&configuration::by_api(
        &turn.endpoints,
        &format!("{url}{failing}"),
    ));
    let status = program.json_ok(&["status"]);
    assert_eq!(status["reads"], json!("api"), "{status}");
    let checked = program.json(&["env", "check"]).1;
    let checks = checked["checks"].as_array().unwrap();
    let log_in = checks
        .iter()
        .find(|check| check["access"] == "log-in-to-database");
    let log_in = log_in.unwrap();
    assert_eq!(log_in["outcome"], "unreachable", "{log_in}");
    assert!(
        log_in["detail"]
            .as_str()
            .unwrap()
            .contains("TargetNotConnected"),
        "{log_in}"
    );
}

/// The lines of an environment whose database is behind a script.
fn entry(program: &Program, script: &str) -> String {
    let script = program.write("tunnel.py", script);
    format!(
        "database_url = \"postgres://me@{HOST}:{PORT}/events?sslmode=verify-full\"\n\
         tunnel = \"python3 {} {{local_port}}\"\n",
        script.display()
    )
}

fn assert_open_tunnel_is_named(program: &Program) {
    let answer = program.run(&["records", "list"]);
    assert_eq!(answer.code, 3, "{answer:?}");
    let expected = "(through the tunnel, which is open)";
    assert!(answer.stderr.contains(expected), "{answer:?}");
}

#[test]
fn tunnel_that_is_open_and_forwards_nothing_is_named() {
    let turn = deployed();
    let program = Program::new();
    let more = entry(&program, STUCK);
    program.configure(&without_api(&turn, &more));
    assert_open_tunnel_is_named(&program);
}

#[test]
fn api_answers_where_the_tunnel_ends_each_connection() {
    let turn = deployed();
    let program = Program::new();
    let more = entry(&program, CLOSES);
    program.configure(&configuration::by_api(&turn.endpoints, &more));
    program.json_ok(&["records", "list"]);
    program.configure(&without_api(&turn, &more));
    assert_open_tunnel_is_named(&program);
}

/// As the console reads them: once the tunnel is open the database is asked, and the API after it did not answer.
#[test]
fn open_tunnel_that_leads_nowhere_is_named_beside_what_the_api_says() {
    let turn = deployed();
    let program = Program::new();
    let script = program.write("tunnel.py", CLOSES);
    let of_stack = stack::connect(&turn.endpoints);
    let environment = Environment {
        database_url: Some(format!(
            "postgres://me@{HOST}:{PORT}/events?sslmode=verify-full"
        )),
        tunnel: Some(format!("python3 {} {{local_port}}", script.display())),
        ..of_stack.environment().clone()
    };
    let fault = turn.runtime.block_on(async {
        let pipeline = Pipeline::connect(&environment).unwrap();
        pipeline.open_tunnel();
        let deadline = Instant::now() + LIMIT;
        loop {
            let totals = pipeline.record_totals().await.unwrap();
            assert_eq!(totals.read_path, ReadPath::Api);
            if let Some(fault) = totals.tunnel_fault {
                return fault;
            }
            assert!(Instant::now() < deadline, "nothing names it");
        }
    });
    let expected = "the database does not answer by the tunnel: ";
    assert!(fault.starts_with(expected), "{fault}");
}

/// As of analysts, who read their views through it. The API reads the records for them.
#[test]
fn tunnel_through_which_the_database_refuses_the_user_is_no_fault() {
    let turn = deployed();
    let (socket, _, name) = database(&turn);
    let server = Server::start(&turn, HOST, Behind::Database(socket));
    let (user, password) = ("behind_the_tunnel", "of the tests only");
    let program = Program::new();
    let script = program.write("forwarder.py", FORWARDER);
    let note = program.home().join("note");
    let roots = program.write("roots.pem", &server.certificate);
    let of_stack = stack::connect(&turn.endpoints);
    let environment = Environment {
        database_url: Some(format!(
            "postgres://{user}:{}@{HOST}:{PORT}/{name}?sslmode=verify-full&sslrootcert={}",
            password.replace(' ', "%20"),
            roots.display()
        )),
        tunnel: Some(format!(
            "python3 {} {{host}} {{port}} {{local_port}} {} {}",
            script.display(),
            server.port,
            note.display()
        )),
        ..of_stack.environment().clone()
    };
    let (paths, totals) = turn.runtime.block_on(async {
        let options = PgConnectOptions::from_str(&turn.endpoints.database_url).unwrap();
        let mut owner = options.connect().await.unwrap();
        let create = format!("create role {user} login password '{password}'");
        sqlx::raw_sql(&create).execute(&mut owner).await.unwrap();
        let pipeline = Pipeline::connect(&environment).unwrap();
        pipeline.open_tunnel();
        let deadline = Instant::now() + LIMIT;
        // The API is asked until the tunnel is open.
        while pipeline.read_path() == Some(ReadPath::Api) {
            assert!(Instant::now() < deadline, "the tunnel does not open");
            tokio::task::yield_now().await;
        }
        let before = pipeline.read_path();
        let totals = pipeline.record_totals().await.unwrap();
        ((before, pipeline.read_path()), totals)
    });
    let (database, api) = (Some(ReadPath::Database), Some(ReadPath::Api));
    assert_eq!(paths, (database, api), "the database was asked in vain");
    assert_eq!(totals.read_path, ReadPath::Api);
    assert_eq!(totals.tunnel_fault, None);
}

#[test]
fn command_ends_also_when_the_program_is_killed() {
    let turn = deployed();
    let server = Server::start(&turn, HOST, Behind::AsksPassword);
    let tunnelled = Tunnelled::start(&turn, SILENT, &server, "me", "");
    let temporary = tunnelled.program.home().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let mut command = tunnelled.program.command(&["env", "check"]);
    command.env("TMPDIR", &temporary);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let [_, _, pid] = tunnelled.noted();
    let entries = || std::fs::read_dir(&temporary).unwrap().count();
    assert_eq!(entries(), 1, "the folder with the socket");
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until_gone(&pid);
    let deadline = Instant::now() + LIMIT;
    while entries() > 0 {
        assert!(Instant::now() < deadline, "the folder is still there");
        std::thread::yield_now();
    }
}

#[test]
fn wrong_tunnel_names_its_key() {
    let program = Program::new();
    let text = configuration::environment_at("pilot", NOBODY, "tunnel = \"ssh bastion\"\n");
    program.configure(&text);
    let answer: Answer = program.run(&["status"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(
        answer
            .stderr
            .contains("environments.pilot.tunnel: has no {local_port}"),
        "{answer:?}"
    );
}
