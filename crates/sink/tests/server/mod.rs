//! A real PostgreSQL for tests, of their own: made in a temporary folder, ended with them.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};

/// As long as a server may take to start on a machine that does much else.
const START: Duration = Duration::from_secs(90);

/// The password of the user `postgres`.
pub(crate) const PASSWORD: &str = "correct horse/battery";

/// Says that nothing is tested on PostgreSQL, and why; `make test` repeats it in its closing line. In CI that is a
/// failure.
pub(crate) fn missing(reason: &str) {
    if std::env::var_os("CI").is_some_and(|v| v == "true") {
        panic!("no PostgreSQL: {reason}");
    }
    let note = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nothing-tested-on-postgres");
    std::fs::write(note, reason).unwrap_or_default();
    // Past the test harness, which shows nothing of tests that pass.
    let text = format!("\nNO POSTGRESQL, SO NOTHING WAS TESTED ON IT: {reason}\n");
    std::io::stderr().write_all(text.as_bytes()).unwrap_or_default();
}

/// A server, which ends with this value, or with the process, however that ends.
pub(crate) struct Server {
    folder: PathBuf,
    pub(crate) port: u16,
    /// A shell that runs the server until its standard input closes.
    shell: Option<Child>,
}

/// Runs a server, whose id it says, until standard input closes; then ends it, and removes what it left where asked.
const SHELL: &str = r#"
    "$@" </dev/null >>"$LOG" 2>&1 &
    server=$!
    echo $server
    cat >/dev/null
    kill -QUIT $server 2>/dev/null
    wait $server
    [ -z "$REMOVE" ] || rm -rf "$REMOVE"
"#;

impl Server {
    /// Makes and starts a server; settings are `name=value`.
    pub(crate) fn start(settings: &[&str]) -> Result<Self, String> {
        let folder = tempfile::Builder::new()
            .prefix("telex-postgres-")
            .tempdir()
            .map_err(|e| e.to_string())?
            .keep();
        let mut server = Self {
            folder,
            port: 0,
            shell: None,
        };
        server.initialise()?;
        for setting in settings {
            server.set(setting)?;
        }
        // Somebody else may take a port between its choice and its use.
        let mut tried = server.launch();
        for _ in 0..3 {
            if tried.is_ok() {
                break;
            }
            server.stop();
            server.port = 0;
            tried = server.launch();
        }
        tried.map(|()| server)
    }

    fn initialise(&self) -> Result<(), String> {
        let password = self.folder.join("password");
        std::fs::write(&password, PASSWORD).map_err(|e| e.to_string())?;
        if is_root() {
            let owner = Command::new("chown")
                .args(["-R", "postgres"])
                .arg(&self.folder)
                .status();
            if !owner.is_ok_and(|s| s.success()) {
                return Err("there is no user postgres; install Debian's postgresql".to_owned());
            }
        }
        let out = as_postgres(&tool("initdb")?)
            .arg("--pgdata")
            .arg(self.data())
            .args([
                "--username=postgres",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ])
            .arg("--pwfile")
            .arg(&password)
            .output()
            .map_err(|e| format!("initdb cannot be run: {e}"))?;
        if !out.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&out.stderr)));
        }
        Ok(())
    }

    /// Adds a setting.
    fn set(&self, setting: &str) -> Result<(), String> {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(self.data().join("postgresql.conf"))
            .map_err(|e| e.to_string())?;
        writeln!(file, "{setting}").map_err(|e| e.to_string())
    }

    /// Starts the server where it was, or the first time at a free port, and waits until it answers.
    pub(crate) fn launch(&mut self) -> Result<(), String> {
        if self.port == 0 {
            let probe = std::net::TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
            self.port = probe.local_addr().map_err(|e| e.to_string())?.port();
        }
        let postgres = as_postgres(&tool("postgres")?);
        let mut shell = Command::new("sh")
            .args(["-c", SHELL, "sh"])
            .arg(postgres.get_program())
            .args(postgres.get_args())
            .arg("-D")
            .arg(self.data())
            .args([
                "-p",
                &self.port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
            ])
            .arg(format!("unix_socket_directories={}", self.folder.display()))
            .env("LOG", self.folder.join("log"))
            .env("REMOVE", &self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("sh cannot be run: {e}"))?;
        let mut id = String::new();
        if let Some(out) = shell.stdout.take() {
            BufReader::new(out)
                .read_line(&mut id)
                .map_err(|e| e.to_string())?;
        }
        self.shell = Some(shell);
        let begun = Instant::now();
        loop {
            if self.try_connect("postgres").is_ok() {
                return Ok(());
            }
            let gone = !Path::new("/proc").join(id.trim()).exists();
            if gone || begun.elapsed() > START {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(format!("the server does not start: {log}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends the server without notice to anybody; what it committed stays for the next launch.
    pub(crate) fn stop(&mut self) {
        let Some(mut shell) = self.shell.take() else {
            return;
        };
        // The shell would remove the folder: its server is ended behind its back.
        let pid = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        if let Some(pid) = pid.lines().next() {
            drop(Command::new("kill").args(["-QUIT", pid]).status());
            let begun = Instant::now();
            while Path::new("/proc").join(pid).exists() && begun.elapsed() < START {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        drop(shell.kill());
        drop(shell.wait());
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn try_connect(&self, database: &str) -> Result<Client, postgres::Error> {
        postgres::Config::new()
            .host("127.0.0.1")
            .port(self.port)
            .user("postgres")
            .password(PASSWORD)
            .dbname(database)
            .connect(NoTls)
    }

    /// A connection of the superuser.
    pub(crate) fn client(&self, database: &str) -> Client {
        self.try_connect(database).expect("a connection")
    }

    /// Makes a database; gives its name.
    pub(crate) fn database(&self) -> String {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("news_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.client("postgres")
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .expect("made");
        name
    }

    /// The URL of a database, at the server's port or another one.
    pub(crate) fn url(&self, database: &str) -> String {
        url(self.port, database)
    }
}

/// The URL of a database that is reached at that port.
pub(crate) fn url(port: u16, database: &str) -> String {
    let password = PASSWORD.replace(' ', "%20").replace('/', "%2F");
    format!("postgres://postgres:{password}@127.0.0.1:{port}/{database}")
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        std::fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

/// A program of the server: Debian keeps them off the path.
fn tool(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|found| found.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    // The newest first.
    folders.sort();
    folders.reverse();
    folders.extend(std::env::split_paths(&path));
    let mut found = folders.iter().map(|folder| folder.join(name));
    found
        .find(|path| path.exists())
        .ok_or_else(|| format!("{name} is missing; install Debian's postgresql"))
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}

/// PostgreSQL refuses to run as root.
fn as_postgres(tool: &Path) -> Command {
    if !is_root() {
        return Command::new(tool);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(tool);
    command
}
