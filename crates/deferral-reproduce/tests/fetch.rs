//! Fetching: from a server on this machine and from one that is only a function, and the catalogue of the repository
//! against the files where they are.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(clippy::print_stderr, reason = "a skipped test is said to be")]

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use deferral_reproduce::catalogue::{Catalogue, Sha256, State, describe, list};
use deferral_reproduce::fetch::{ByHand, Download, DownloadError, Event, FetchError, Http, Summary, fetch};

/// The content of every file here.
fn content() -> Vec<u8> {
    (0..200_000_u64).map(|i| (i * i % 251) as u8).collect()
}

fn digest() -> String {
    Sha256::of(&mut &content()[..]).unwrap().to_string()
}

/// A server on this machine; what it answers depends on the address. It ends when it is dropped.
struct Server {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if seen.load(Ordering::SeqCst) {
                    return;
                }
                // A client that goes away early is none of the server's business.
                let _ = answer(&stream.unwrap());
            }
        });
        Self { address, ended, thread: Some(thread) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn answer(mut stream: &TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let mut body = content();
    let length = body.len();
    let half = length / 2;
    let mut head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n");
    match path.as_str() {
        "/good" => {}
        "/moved" => {
            body.clear();
            head = "HTTP/1.1 302 Found\r\nLocation: /good\r\nContent-Length: 0\r\n".into();
        }
        "/wrong" => body[half] ^= 1,
        "/half" | "/stalls" => body.truncate(half),
        "/short" => {
            body.truncate(half);
            head = "HTTP/1.1 200 OK\r\n".into();
        }
        "/long" => {
            body.extend(content());
            head = "HTTP/1.1 200 OK\r\n".into();
        }
        _ => head = "HTTP/1.1 404 Not Found\r\nContent-Length: 200000\r\n".into(),
    }
    stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    stream.write_all(&body)?;
    if path == "/stalls" {
        // Until the client hangs up.
        let _ = (&mut stream).read(&mut [0])?;
    }
    Ok(())
}

/// A catalogue of one data set `set` with these files, each at an address.
fn catalogue(files: &[(&str, &str)]) -> Catalogue {
    let mut text = "[[set]]\nname = 'set'\ntitle = 'T'\norigin = 'https://example.org'\nlicence = 'L'\n".to_owned();
    text += "citation = 'C'\n";
    for (path, url) in files {
        let (size, digest) = (content().len(), digest());
        text += &format!("[[set.file]]\npath = '{path}'\nsize = {size}\nsha256 = '{digest}'\nurl = '{url}'\n");
    }
    Catalogue::parse(&text, "data.toml").unwrap()
}

/// A data set that a person has to get, beside the one above.
fn with_one_by_hand(mut catalogue: Catalogue) -> Catalogue {
    let text = "[[set]]\nname = 'kept'\ntitle = 'T'\norigin = 'O'\nlicence = 'L'\ncitation = 'C'\n\
                manual = 'log in and ask for a.csv'\n[[set.file]]\npath = 'kept/a.csv'\ninstead = 'kept/b.csv'\n";
    catalogue.sets.extend(Catalogue::parse(text, "data.toml").unwrap().sets);
    catalogue
}

/// Everything under a folder, folders too.
fn everything(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        if path.is_dir() {
            found.extend(everything(&path));
        }
    }
    found.sort();
    found
}

/// The way to the server on this machine, also where there is a proxy to the others.
fn network() -> Http {
    Http::direct(Duration::from_secs(30))
}

fn run(catalogue: &Catalogue, names: &[&str], folder: &Path) -> Result<Summary, FetchError> {
    fetch(catalogue, names, folder, &network(), &mut |_| {})
}

/// A network that is a function.
struct Fake<F>(F);

impl<F: Fn(&str, &mut dyn Write) -> Result<(), DownloadError>> Download for Fake<F> {
    fn get(&self, url: &str, sink: &mut dyn Write) -> Result<u64, DownloadError> {
        (self.0)(url, sink).map(|()| content().len() as u64)
    }
}

/// Nobody may be asked.
fn no_network() -> impl Download {
    Fake(|url: &str, _: &mut dyn Write| panic!("asked for {url}"))
}

#[test]
fn a_good_file_is_fetched_verified_and_then_left_alone() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let catalogue = catalogue(&[("set/deep/a.bin", &server.url("good")), ("set/b.bin", &server.url("moved"))]);
    let said = RefCell::new(Vec::new());
    let mut report = |event: &Event<'_>| said.borrow_mut().push(event.to_string());
    let data = folder.path().join("new/data");
    let summary = fetch(&catalogue, &[], &data, &network(), &mut report).unwrap();
    assert_eq!(summary.fetched, ["set/deep/a.bin", "set/b.bin"]);
    assert_eq!(fs::read(data.join("set/deep/a.bin")).unwrap(), content());
    assert_eq!(everything(&data), ["a.bin", "b.bin", "deep", "set"]);
    let lines = said.take();
    assert_eq!(lines[0], format!("set/deep/a.bin: 200000 bytes from {}", server.url("good")));
    assert!(lines.contains(&"set/deep/a.bin: 200000 bytes of 200000".to_owned()));
    assert!(lines.contains(&"set/b.bin: fetched and verified, 200000 bytes".to_owned()));
    assert!(lines.len() < 2 * 103, "{}", lines.len());

    let mut said = Vec::new();
    let again = fetch(&catalogue, &["set"], &data, &no_network(), &mut |event| said.push(event.to_string())).unwrap();
    assert_eq!((again.fetched.len(), again.already_there.len()), (0, 2));
    assert_eq!(said, ["set/deep/a.bin: already there, verified", "set/b.bin: already there, verified"]);
}

#[cfg(unix)]
#[test]
fn a_fetched_file_is_for_everybody_who_may_read_the_folder() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    run(&catalogue(&[("a.bin", &server.url("good"))]), &[], folder.path()).unwrap();
    fs::write(folder.path().join("plain"), "").unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("a.bin"), mode("plain"));
}

#[test]
fn whatever_goes_wrong_is_named_and_nothing_is_left() {
    let server = Server::start();
    let digest = digest();
    for (path, message) in [
        ("wrong", "is not the pinned file: its sha256 is "),
        ("short", "is not the pinned file: it has 100000 bytes of 200000. Nothing was kept; see https://example.org"),
        ("long", "is not the pinned file: it has more than 200000 bytes. Nothing was kept; see https://example.org"),
        ("half", ": the connection broke off after 100000 bytes ("),
        ("stalls", ": the connection broke off after 100000 bytes (timeout"),
        ("gone", ": the server answers 404 (the file was moved or removed). Nothing was kept; try again, or see https"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let begin = Instant::now();
        let catalogue = catalogue(&[("set/a.bin", &server.url(path))]);
        // Long enough for a busy machine, and less than anybody waits for a server that has stopped.
        let network = Http::direct(Duration::from_secs(if path == "stalls" { 2 } else { 30 }));
        let error = fetch(&catalogue, &["set"], folder.path(), &network, &mut |_| {}).unwrap_err();
        assert!(begin.elapsed() < Duration::from_secs(20));
        let text = error.to_string();
        assert!(text.starts_with("set/a.bin ") && text.contains(&server.url(path)), "{text}");
        assert!(text.contains(message), "{path}: {text}");
        assert!(path != "wrong" || text.contains(&format!(" instead of {digest}. Nothing was kept")), "{text}");
        assert!(everything(folder.path()).is_empty(), "{path} leaves {:?}", everything(folder.path()));
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error_with_the_address() {
    let url = {
        let server = Server::start();
        server.url("good")
    };
    let folder = tempfile::tempdir().unwrap();
    let text = run(&catalogue(&[("a.bin", &url)]), &[], folder.path()).unwrap_err().to_string();
    assert!(text.starts_with(&format!("a.bin could not be downloaded from {url}: no answer (")), "{text}");
    assert!(everything(folder.path()).is_empty());
}

#[test]
fn a_server_without_tls_is_refused_and_not_a_panic() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let url = server.url("good").replace("http:", "https:");
    let text = run(&catalogue(&[("a.bin", &url)]), &[], folder.path()).unwrap_err().to_string();
    assert!(text.starts_with(&format!("a.bin could not be downloaded from {url}: no answer (")), "{text}");
    assert!(!text.contains("TLS is required"), "TLS is not built in: {text}");
    assert!(everything(folder.path()).is_empty());
}

#[test]
fn the_first_file_stays_when_the_second_fails() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let files =
        [("set/a.bin", server.url("good")), ("set/deep/b.bin", server.url("half")), ("c.bin", server.url("good"))];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, url)| (*path, url.as_str())).collect();
    let error = run(&catalogue(&files), &[], folder.path()).unwrap_err();
    assert!(matches!(&error, FetchError::Download { path, .. } if path == "set/deep/b.bin"), "{error}");
    assert_eq!(everything(folder.path()), ["a.bin", "set"]);
    let files = [files[0], ("set/deep/b.bin", &server.url("good")), files[2]];
    let summary = run(&catalogue(&files), &[], folder.path()).unwrap();
    assert_eq!(
        (summary.already_there, summary.fetched),
        (vec!["set/a.bin".into()], vec!["set/deep/b.bin".into(), "c.bin".into()])
    );
}

#[test]
fn what_is_there_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bin");
    let catalogue = catalogue(&[("a.bin", "https://example.org/a.bin")]);
    let mut altered = content();
    altered[7] ^= 1;
    let found = Sha256::of(&mut &altered[..]).unwrap();
    let expected = digest();
    let ends = "run `cargo xtask fetch set`. What is there is never written over";
    for (there, message) in [
        (content()[..12].to_vec(), format!("has 12 bytes of 200000: a download that stopped; delete it and {ends}")),
        (vec![0; 200_001], format!("has 200001 bytes instead of 200000: it is another file; move it away and {ends}")),
        (
            altered,
            format!(
                "has the right size but the sha256 {found} instead of {expected}: it was changed; move it away and {ends}"
            ),
        ),
    ] {
        fs::write(&path, &there).unwrap();
        let error = fetch(&catalogue, &[], folder.path(), &no_network(), &mut |_| {}).unwrap_err();
        assert_eq!(error.to_string(), format!("a.bin {message}"));
        assert_eq!(fs::read(&path).unwrap(), there);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = fetch(&catalogue, &[], folder.path(), &no_network(), &mut |_| {}).unwrap_err();
    let message = "a.bin cannot be read (it is not a file): make it readable, or move it away and";
    assert_eq!(error.to_string(), format!("{message} {ends}"));
}

#[test]
fn a_file_that_comes_meanwhile_is_not_written_over_either() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bin");
    let meanwhile = Fake(|_: &str, sink: &mut dyn Write| {
        fs::write(&path, "mine").unwrap();
        Ok(sink.write_all(&content())?)
    });
    let catalogue = catalogue(&[("a.bin", "https://example.org/a.bin")]);
    let error = fetch(&catalogue, &[], folder.path(), &meanwhile, &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("a.bin came from elsewhere meanwhile and was not written over"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(everything(folder.path()), ["a.bin"]);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    let catalogue = catalogue(&[("set/a.bin", "https://example.org/a.bin")]);
    let error = |folder: &Path| fetch(&catalogue, &[], folder, &no_network(), &mut |_| {}).unwrap_err().to_string();
    let text = error(&file);
    assert!(text.starts_with("set/a.bin cannot be ") && text.contains("ot a directory"), "{text}");
    assert_eq!(everything(folder.path()), ["file"]);
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let catalogue = catalogue(&[("set/a.bin", "https://example.org/a.bin")]);
    let send = Fake(|_: &str, sink: &mut dyn Write| Ok(sink.write_all(&content())?));
    let outcome = fetch(&catalogue, &[], folder.path(), &send, &mut |_| {});
    // The superuser may write everywhere.
    if fs::write(folder.path().join("probe"), "").is_ok() {
        assert_eq!(outcome.unwrap().fetched, ["set/a.bin"]);
    } else {
        let text = outcome.unwrap_err().to_string();
        assert!(text.starts_with("set/a.bin cannot be written: Permission denied"), "{text}");
        assert!(everything(folder.path()).is_empty());
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_a_killed_program_left_is_swept_and_what_another_is_writing_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let [left, writing, other] =
        [".fetch-abc.part", ".fetch-def.part", "fetch.part"].map(|name| folder.path().join(name));
    for path in [&left, &writing, &other] {
        fs::write(path, "half").unwrap();
    }
    let lock = fs::File::open(&writing).unwrap();
    lock.try_lock().unwrap();
    let send = Fake(|_: &str, sink: &mut dyn Write| {
        // A second fetch in the same folder leaves the file in progress of this one alone.
        let names = everything(folder.path());
        assert_eq!(names.iter().filter(|name| name.starts_with(".fetch-")).count(), 2, "{names:?}");
        Ok(sink.write_all(&content())?)
    });
    let catalogue = catalogue(&[("a.bin", "https://example.org/a.bin")]);
    fetch(&catalogue, &[], folder.path(), &send, &mut |_| {}).unwrap();
    assert_eq!(everything(folder.path()), [".fetch-def.part", "a.bin", "fetch.part"]);
}

#[test]
fn two_at_once_get_one_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = catalogue(&[("a.bin", "https://example.org/a.bin")]);
    let send = Fake(|_: &str, sink: &mut dyn Write| {
        let inner = Fake(|_: &str, sink: &mut dyn Write| Ok(sink.write_all(&content())?));
        assert_eq!(fetch(&catalogue, &[], folder.path(), &inner, &mut |_| {}).unwrap().fetched, ["a.bin"]);
        Ok(sink.write_all(&content())?)
    });
    let error = fetch(&catalogue, &[], folder.path(), &send, &mut |_| {}).unwrap_err();
    assert!(matches!(error, FetchError::Appeared { .. }), "{error}");
    assert_eq!(everything(folder.path()), ["a.bin"]);
    assert_eq!(fs::read(folder.path().join("a.bin")).unwrap(), content());
}

#[test]
fn what_only_a_person_can_get_is_explained_and_an_error_only_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = with_one_by_hand(catalogue(&[("set/a.bin", "https://example.org/a.bin")]));
    let send = Fake(|_: &str, sink: &mut dyn Write| Ok(sink.write_all(&content())?));
    let mut said = Vec::new();
    let (set, paths, step) = ("kept".into(), vec!["kept/a.csv".into()], "log in and ask for a.csv".into());
    let left = ByHand { set, paths, step };
    let summary = fetch(&catalogue, &[], folder.path(), &send, &mut |event| said.push(event.to_string())).unwrap();
    assert_eq!((summary.fetched.len(), summary.by_hand), (1, vec![left]));
    assert_eq!(said.last().unwrap(), "kept/a.csv: by hand: log in and ask for a.csv");

    fs::remove_file(folder.path().join("set/a.bin")).unwrap();
    let error = fetch(&catalogue, &["kept", "set"], folder.path(), &send, &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "kept/a.csv: by hand: log in and ask for a.csv");
    assert_eq!(
        catalogue.sets[1].problems(folder.path())[0].to_string(),
        "kept/a.csv is missing and comes by hand: log in and ask for a.csv"
    );
    assert!(folder.path().join("set/a.bin").exists());

    let kept = catalogue.get("kept").unwrap();
    let digest = || kept.digest(folder.path());
    assert_eq!(digest().unwrap_err().state, State::Missing);
    fs::create_dir(folder.path().join("kept")).unwrap();
    fs::write(folder.path().join("kept/b.csv"), "b").unwrap();
    assert_eq!(kept.states(folder.path()), [State::Instead]);
    assert_eq!(kept.files[0].resolve(folder.path()), folder.path().join("kept/b.csv"));
    let of_the_other = digest().unwrap();
    fs::write(folder.path().join("kept/a.csv"), "a").unwrap();
    assert_eq!(kept.states(folder.path()), [State::Unpinned]);
    assert_eq!(kept.files[0].resolve(folder.path()), folder.path().join("kept/a.csv"));
    assert_ne!(digest().unwrap(), of_the_other);
    assert_eq!(run(&catalogue, &["kept"], folder.path()).unwrap().already_there, ["kept/a.csv"]);
}

#[test]
fn a_name_that_is_not_there_is_named_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = with_one_by_hand(catalogue(&[("a.bin", "https://example.org/a.bin")]));
    let error = fetch(&catalogue, &["set", "nope"], folder.path(), &no_network(), &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "there is no data set `nope`; there are: set, kept");
    assert!(everything(folder.path()).is_empty());
}

#[test]
fn the_list_says_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue =
        with_one_by_hand(catalogue(&[("a.bin", "https://example.org/a.bin"), ("b.bin", "https://e.org/b")]));
    fs::write(folder.path().join("a.bin"), content()).unwrap();
    fs::write(folder.path().join("b.bin"), "half").unwrap();
    let text = list(&catalogue, folder.path());
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1], ["set", "a.bin", "200000", "there", "L"]);
    assert_eq!(rows[2], ["set", "b.bin", "200000", "only", "4", "bytes", "L"]);
    assert_eq!(rows[3], ["kept", "kept/a.csv", "-", "missing,", "by", "hand", "L"]);
    let text = describe(&catalogue.sets[0]);
    assert!(text.contains(&format!("200000 bytes, sha256 {}\n           https://e.org/b\n", digest())), "{text}");
    assert!(describe(&catalogue.sets[1]).ends_with("  by hand  log in and ask for a.csv\n"));
}

/// The catalogue of the repository.
fn ours() -> Catalogue {
    Catalogue::read(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/data.toml")).unwrap()
}

#[test]
fn our_catalogue_has_what_the_experiments_need() {
    let catalogue = ours();
    assert_eq!(catalogue.names(), ["mturk", "davidson", "twitteraae", "glove", "compas", "health", "toxicity"]);
    for set in &catalogue.sets {
        assert_eq!(set.is_downloadable(), set.manual.is_none(), "{}", set.name);
        assert!(set.manual.as_deref().is_none_or(|step| !step.ends_with(['.', '\n'])), "{}", set.name);
        for file in &set.files {
            assert!(file.path.starts_with(&format!("{}/", set.name)), "{}", file.path);
            let name = file.path.rsplit('/').next().unwrap();
            let raw = set.origin.replace("https://github.com/", "https://raw.githubusercontent.com/") + "/HEAD/";
            let at_its_origin = |url: &str| url.starts_with(&raw) && url.ends_with(name);
            assert!(file.url.as_deref().is_none_or(at_its_origin), "{}", file.path);
        }
    }
}

#[test]
fn our_catalogue_agrees_with_the_files() {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("DEFERRAL_DATA").map_or_else(beside, PathBuf::from);
    if !folder.join("mturk").exists() {
        assert!(std::env::var_os("DEFERRAL_REQUIRE_DATA").is_none_or(|v| v != "1"), "no data at {}", folder.display());
        eprintln!("skipped: no data");
        return;
    }
    let catalogue = ours();
    for name in ["mturk", "davidson", "twitteraae", "glove", "compas"] {
        let set = catalogue.get(name).unwrap();
        assert_eq!(set.problems(&folder), []);
        assert!(set.states(&folder).iter().all(|state| matches!(state, State::Present | State::Instead)), "{name}");
        assert_eq!(set.digest(&folder), set.digest(&folder));
    }
}
