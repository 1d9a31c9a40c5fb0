//! A link to a broker that fails: it is cut, falls silent, is slow, or loses what ends transactions.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Keys of requests in Kafka's protocol.
const INIT_PRODUCER_ID: u16 = 22;
const END_TXN: u16 = 26;

/// What is lost of a request to commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    Request,
    Answer,
    /// Nothing, but it arrives only after so long.
    Time(Duration),
}

/// What is to be lost: until the producer begins anew, as one does that does not know what happened. What is only late
/// is so with all that the client repeats meanwhile, until the first of it arrives.
struct Armed {
    transactional_id: String,
    lost: Lost,
    times: usize,
}

impl Armed {
    fn is_of(&self, request: &[u8]) -> bool {
        let id = self.transactional_id.as_bytes();
        request.windows(id.len()).any(|w| w == id)
    }
}

/// How the link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    #[default]
    Whole,
    /// Connections end, and no new one comes about.
    Cut,
    /// Nothing gets through, and nobody is told.
    Silent,
    /// Every request and every piece of an answer takes so much longer.
    Slow(Duration),
}

#[derive(Default)]
struct State {
    broker: Mutex<String>,
    armed: Mutex<Vec<Armed>>,
    link: Mutex<Link>,
    changed: Condvar,
    clients: Mutex<Vec<TcpStream>>,
}

pub struct Proxy {
    pub address: String,
    state: Arc<State>,
}

impl Proxy {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(&client, &state));
            }
        });
        Self { address, state }
    }

    /// Says where the broker is.
    pub fn leads_to(&self, broker: &str) {
        broker.clone_into(&mut self.state.broker.lock().unwrap());
    }

    /// Changes how the link is.
    pub fn set(&self, link: Link) {
        *self.state.link.lock().unwrap() = link;
        self.state.changed.notify_all();
        if link == Link::Cut {
            for client in self.state.clients.lock().unwrap().drain(..) {
                drop(client.shutdown(Shutdown::Both));
            }
        }
    }

    /// Loses the next commit of producers whose transactional id begins so, and all repetitions of it.
    pub fn lose_commit(&self, transactional_id: &str, lost: Lost) {
        self.state.armed.lock().unwrap().push(Armed {
            transactional_id: transactional_id.to_owned(),
            lost,
            times: 0,
        });
    }

    /// Tells whether nothing is to be lost any more.
    pub fn disarmed(&self, transactional_id: &str) -> bool {
        let armed = self.state.armed.lock().unwrap();
        !armed.iter().any(|a| a.transactional_id == transactional_id)
    }
}

fn serve(client: &TcpStream, state: &State) {
    if state.pass().is_err() {
        return;
    }
    let address = state.broker.lock().unwrap().clone();
    let Ok(broker) = TcpStream::connect(address) else {
        return;
    };
    // Requests are small and wait for each other: held back for more they take 40 ms each.
    broker.set_nodelay(true).unwrap();
    client.set_nodelay(true).unwrap();
    let (answers, to_client) = (broker.try_clone().unwrap(), client.try_clone().unwrap());
    state.clients.lock().unwrap().push(client.try_clone().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            drop(pass_answers(&answers, &to_client, state));
            drop(to_client.shutdown(Shutdown::Both));
        });
        drop(requests(client, &broker, state));
        drop(broker.shutdown(Shutdown::Both));
        drop(client.shutdown(Shutdown::Both));
    });
}

fn pass_answers(mut broker: &TcpStream, mut client: &TcpStream, state: &State) -> io::Result<()> {
    let mut piece = vec![0; 64 << 10];
    loop {
        let length = broker.read(&mut piece)?;
        if length == 0 {
            return Ok(());
        }
        state.pass()?;
        client.write_all(piece.get(..length).unwrap_or_default())?;
    }
}

/// Passes requests on, one by one: length, then API key, version and the rest.
fn requests(mut client: &TcpStream, mut broker: &TcpStream, state: &State) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let mut request = length.to_vec();
        request.resize(4 + u32::from_be_bytes(length) as usize, 0);
        client.read_exact(request.get_mut(4..).unwrap_or_default())?;
        state.pass()?;
        let lost = state.lost(request.get(4..).unwrap_or_default());
        if let Some(Lost::Time(time)) = lost {
            std::thread::sleep(time);
            broker.write_all(&request)?;
            state.arrived(&request);
            continue;
        }
        if lost == Some(Lost::Answer) {
            // From here on nothing comes back.
            client.shutdown(Shutdown::Write)?;
        }
        if lost != Some(Lost::Request) {
            broker.write_all(&request)?;
        }
        if lost.is_some() {
            // Long enough for the broker to do as it was asked.
            std::thread::sleep(Duration::from_millis(300));
            return Ok(());
        }
    }
}

impl State {
    /// Lets something through, as the link is.
    fn pass(&self) -> io::Result<()> {
        let link = self.link.lock().unwrap();
        let link = *self.changed.wait_while(link, |l| *l == Link::Silent).unwrap();
        match link {
            Link::Cut => Err(ErrorKind::ConnectionReset.into()),
            Link::Slow(time) => {
                std::thread::sleep(time);
                Ok(())
            }
            Link::Whole | Link::Silent => Ok(()),
        }
    }

    fn lost(&self, request: &[u8]) -> Option<Lost> {
        let key = u16::from_be_bytes([*request.first()?, *request.get(1)?]);
        if ![INIT_PRODUCER_ID, END_TXN].contains(&key) {
            return None;
        }
        let mut armed = self.armed.lock().unwrap();
        if key == INIT_PRODUCER_ID {
            armed.retain(|a| a.times == 0 || !a.is_of(request));
            return None;
        }
        let place = armed.iter().position(|a| a.is_of(request))?;
        let found = armed.get_mut(place)?;
        found.times += 1;
        Some(found.lost)
    }

    /// What was late has arrived.
    fn arrived(&self, request: &[u8]) {
        let late = |a: &Armed| matches!(a.lost, Lost::Time(_)) && a.is_of(request);
        self.armed.lock().unwrap().retain(|a| !late(a));
    }
}
