//! Servers whose certificate is for another name get no request.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::support::configuration::{NOBODY, environment_at};
use crate::support::program::{Answer, Program};

/// A server that the machine trusts under the name `localhost`. Every request gets `{}`.
struct Server {
    port: u16,
    certificate: String,
}

impl Server {
    fn start() -> Self {
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            while let Ok((mut socket, _)) = listener.accept() {
                let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = Stream::new(&mut connection, &mut socket);
                // A client that refuses the certificate ends the connection here.
                if stream.read(&mut [0; 8 * 1024]).is_ok_and(|bytes| bytes > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                                   content-length: 2\r\nconnection: close\r\n\r\n{}";
                    stream.write_all(answer).unwrap();
                    stream.flush().unwrap();
                }
            }
        });
        Self {
            port,
            certificate: certified.cert.pem(),
        }
    }

    /// Calls the API under a name of the server, on a machine that trusts its certificate.
    fn call(&self, host: &str) -> Answer {
        let program = Program::new();
        let url = format!("https://{host}:{}", self.port);
        program.configure(&environment_at("test", NOBODY, "").replace(
            &format!("api_url = \"{NOBODY}\""),
            &format!("api_url = \"{url}\""),
        ));
        let roots = program.write("roots.pem", &self.certificate);
        let mut command = program.command(&["api", "get", "/health"]);
        Answer::of(command.env("SSL_CERT_FILE", roots).output().unwrap())
    }
}

#[test]
fn server_with_a_certificate_for_another_name_is_refused() {
    let server = Server::start();
    let trusted = server.call("localhost");
    assert_eq!(trusted.code, 0, "{trusted:?}");

    let other = server.call("127.0.0.1");
    assert_eq!(other.code, 3, "{other:?}");
    assert!(other.stderr.contains("certificate"), "{other:?}");
}
