//! A proxy before a server, which cuts a connection at its commit.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What becomes of the next commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nothing.
    Not,
    /// The server does not get it.
    BeforeTheCommit,
    /// The server does it, and the client does not get the answer.
    AfterTheCommit,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    server: u16,
    next: Mutex<Cut>,
    cuts: AtomicUsize,
}

impl Proxy {
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            server,
            next: Mutex::new(Cut::Not),
            cuts: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || state.carry(client));
            }
        });
        Self { port, state }
    }

    pub(crate) fn cut(&self, cut: Cut) {
        *self.state.next.lock().expect("no panic") = cut;
    }

    pub(crate) fn cuts(&self) -> usize {
        self.state.cuts.load(Ordering::Relaxed)
    }
}

impl State {
    fn carry(&self, mut client: TcpStream) {
        let mut server = TcpStream::connect(("127.0.0.1", self.server)).expect("a server");
        let (mut answers, mut back) = (
            server.try_clone().expect("a socket"),
            client.try_clone().expect("a socket"),
        );
        let deaf = Arc::new(Mutex::new(false));
        let hears = Arc::clone(&deaf);
        let answering = std::thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            while let Ok(n @ 1..) = answers.read(&mut buffer) {
                if *hears.lock().expect("no panic") {
                    // The answer to the commit, which the client is not to get.
                    break;
                }
                if back.write_all(&buffer[..n]).is_err() {
                    break;
                }
            }
            drop(back.shutdown(Shutdown::Both));
        });
        let mut buffer = [0; 1 << 16];
        while let Ok(n @ 1..) = client.read(&mut buffer) {
            let commits = buffer[..n].windows(7).any(|w| w == b"COMMIT\0");
            let cut = if commits { self.take() } else { Cut::Not };
            if cut == Cut::BeforeTheCommit {
                break;
            }
            if cut == Cut::AfterTheCommit {
                *deaf.lock().expect("no panic") = true;
            }
            if server.write_all(&buffer[..n]).is_err() {
                break;
            }
            if cut == Cut::AfterTheCommit {
                drop(answering.join());
                return;
            }
        }
        drop(server.shutdown(Shutdown::Both));
        drop(client.shutdown(Shutdown::Both));
    }

    fn take(&self) -> Cut {
        let mut next = self.next.lock().expect("no panic");
        let cut = std::mem::replace(&mut *next, Cut::Not);
        if cut != Cut::Not {
            self.cuts.fetch_add(1, Ordering::Relaxed);
        }
        cut
    }
}
