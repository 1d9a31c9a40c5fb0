//! A link to a broker that loses what ends transactions.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Keys of requests in Kafka's protocol.
const INIT_PRODUCER_ID: u16 = 22;
const END_TXN: u16 = 26;

/// What is lost of a request to commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    Request,
    Answer,
    /// Nothing, but it arrives after so long.
    Time(Duration),
}

/// What is to be lost: until the producer begins anew, as one does that does not know what happened.
struct Armed {
    transactional_id: String,
    lost: Lost,
    times: usize,
}

#[derive(Default)]
struct State {
    broker: Mutex<String>,
    armed: Mutex<Vec<Armed>>,
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
    let address = state.broker.lock().unwrap().clone();
    let Ok(broker) = TcpStream::connect(address) else {
        return;
    };
    // Requests are small and wait for each other: held back for more they take 40 ms each.
    broker.set_nodelay(true).unwrap();
    client.set_nodelay(true).unwrap();
    let (mut answers, mut to_client) = (broker.try_clone().unwrap(), client.try_clone().unwrap());
    let back = std::thread::spawn(move || {
        drop(io::copy(&mut answers, &mut to_client));
        drop(to_client.shutdown(Shutdown::Both));
    });
    drop(requests(client, &broker, state));
    drop(broker.shutdown(Shutdown::Both));
    drop(client.shutdown(Shutdown::Both));
    back.join().unwrap();
}

/// Passes requests on, one by one: length, then API key, version and the rest.
fn requests(mut client: &TcpStream, mut broker: &TcpStream, state: &State) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let mut request = length.to_vec();
        request.resize(4 + u32::from_be_bytes(length) as usize, 0);
        client.read_exact(request.get_mut(4..).unwrap_or_default())?;
        let lost = state.lost(request.get(4..).unwrap_or_default());
        if let Some(Lost::Time(time)) = lost {
            std::thread::sleep(time);
            broker.write_all(&request)?;
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
    fn lost(&self, request: &[u8]) -> Option<Lost> {
        let key = u16::from_be_bytes([*request.first()?, *request.get(1)?]);
        if ![INIT_PRODUCER_ID, END_TXN].contains(&key) {
            return None;
        }
        let mut armed = self.armed.lock().unwrap();
        let id = |a: &Armed| {
            request
                .windows(a.transactional_id.len())
                .any(|w| w == a.transactional_id.as_bytes())
        };
        if key == INIT_PRODUCER_ID {
            armed.retain(|a| a.times == 0 || !id(a));
            return None;
        }
        let found = armed.iter_mut().find(|a| id(a))?;
        found.times += 1;
        Some(found.lost)
    }
}
