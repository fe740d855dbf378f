use std::cell::Cell;
use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use anyhow::anyhow;

use super::probe::ask;
use super::watch::silent;
use super::*;
use crate::error::Stopped;

const SOON: Duration = Duration::from_millis(300);

fn node(name: &str) -> Node {
    Node { name: name.into(), device: Device::flex() }
}

/// Listens on a free port, and says `answer` to whoever comes.
fn listener(answer: &'static [u8]) -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = listener.local_addr().unwrap().to_string();
    let accepting = listener.try_clone().unwrap();
    std::thread::spawn(move || {
        let answered = accepting.incoming().map(|stream| {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(answer);
            stream
        });
        // The connections stay open.
        let _open: Vec<_> = answered.collect();
    });
    (listener, name)
}

/// Returns an address at which nothing listens.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn an_address_is_a_host_and_a_port() {
    for right in ["127.0.0.1:7401", "gpu:1", "gpu-2.example.org:65535", "[::1]:7401"] {
        assert_eq!(right.parse::<Address>().unwrap().to_string(), right);
    }
    for (wrong, says) in [
        ("gpu", "there is no port"),
        ("", "there is no port"),
        ("gpu:", "'' is no port"),
        ("gpu:0", "'0' is no port"),
        ("gpu:70000", "'70000' is no port"),
        ("ws://gpu:7401", "'ws://gpu' is no name of a host"),
        ("me@gpu:7401", "'me@gpu' is no name of a host"),
        ("::1:7401", "'::1' is no name of a host"),
        ("[gpu]:7401", "'[gpu]' is no name of a host"),
        (":7401", "'' is no name of a host"),
        ("g p u:7401", "'g p u' is no name of a host"),
    ] {
        let error = wrong.parse::<Address>().unwrap_err();
        assert!(error.contains(says) && error.contains("host:port"), "{wrong}: {error}");
    }
}

#[test]
fn a_node_that_does_not_answer_is_told_by_what_it_does_instead() {
    for (answer, says) in
        [(&b""[..], "takes connections, but says nothing"), (b"SSH-2.0-OpenSSH_9.2\r\n", "is not `bastion serve`")]
    {
        let (_listener, name) = listener(answer);
        let error = ask(&name, SOON).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    let error = ask(&nobody(), SOON).unwrap_err();
    assert!(error.contains("refuses the connection") && error.contains("bastion serve"), "{error}");
    assert!(ask("no-such-host.invalid:1", SOON).unwrap_err().contains("is not found"));
    let (_listener, name) = listener(b"HTTP/1.1 404 Not Found\r\n\r\n");
    assert_eq!(ask(&name, SOON), Ok(()));
}

#[test]
fn a_node_is_given_up_after_some_questions_in_a_row() {
    let names = ["a".to_string(), "b".to_string()];
    let watch = |answers: &str, questions: usize| {
        let round = Cell::new(0);
        let pause = |_: Duration| round.replace(round.get() + 1) < questions;
        // The first node always answers.
        let ask = |name: &str| match answers.as_bytes()[round.get() - 1] {
            b'-' if name == "b" => Err("is silent".to_string()),
            _ => Ok(()),
        };
        (silent(&names, SOON, 3, ask, &pause), round.get())
    };
    assert_eq!(watch("+--+--+", 7), (None, 8), "it answers in between");
    assert_eq!(watch("+---+++", 7), (Some(("b".into(), "is silent".into())), 4));
    assert_eq!(watch("--", 2), (None, 3), "the command has ended");
}

#[test]
fn an_error_names_the_node_that_is_gone_and_no_other_error_is_touched() {
    let gone = nobody();
    let (_listener, there) = listener(b"HTTP/1.1 404 Not Found\r\n\r\n");
    let nodes = [node(&there), node(&gone)];
    for failing in [true, false] {
        let work = || match failing {
            true => Err(anyhow!("the device failed: RecvError")),
            false => panic!("Failed to read tensor: RecvError"),
        };
        let error = guard::<()>(&nodes, work).unwrap_err();
        assert!(error.is::<NodeError>());
        let error = error.to_string();
        assert!(error.starts_with(&format!("node {gone} went away")) && error.contains("RecvError"), "{error}");
    }
    assert_eq!(guard(&nodes, || Ok(3)).unwrap(), 3);
    let stopped = guard::<()>(&nodes, || Err(Stopped("Stopped".into()).into())).unwrap_err();
    assert!(stopped.is::<Stopped>());
    let error = guard::<()>(&nodes[..1], || Err(anyhow!("no room"))).unwrap_err();
    assert_eq!(error.to_string(), "no room");
    let panic = crate::train::caught(|| guard::<()>(&nodes[..1], || panic!("out of memory")).is_ok());
    assert_eq!(panic, Err("out of memory".into()));
}

#[test]
fn work_is_done_in_turns_and_its_results_keep_their_order() {
    let device = Device::flex();
    let names = ["a", "b", "c"];
    let places: Vec<_> = names.iter().map(|name| Place { name, device: &device, on_it: &() }).collect();
    let pieces: Vec<usize> = (0..10).collect();
    for places in [&places[..1], &places[..]] {
        let mut taken = vec![];
        let work = |place: &Place<'_, ()>, piece: &usize| Ok((place.name.to_string(), *piece));
        in_turns(places, &pieces, work, |(name, piece)| {
            assert_eq!(name, names[piece % places.len()]);
            taken.push(piece);
            Ok(())
        })
        .unwrap();
        assert_eq!(taken, pieces);
    }
    let mut taken = 0;
    let work = |_: &Place<'_, ()>, piece: &usize| if *piece == 4 { panic!("broken") } else { Ok(()) };
    let error = in_turns(&places, &pieces, work, |()| {
        taken += 1;
        Ok(())
    });
    assert_eq!((taken, format!("{:#}", error.unwrap_err()).as_str()), (4, "node b: broken"));
}

#[test]
fn a_token_must_be_there_and_not_be_guessed() {
    assert_eq!(token::check(None).unwrap(), None);
    assert_eq!(token::check(Some(" 12345678\n".into())).unwrap().unwrap(), "12345678");
    for short in ["", "        ", "1234567"] {
        assert!(token::check(Some(short.into())).unwrap_err().to_string().contains(TOKEN), "{short}");
    }
}

#[test]
fn the_jobs_of_a_pool_run_at_once_and_the_first_error_in_order_counts() {
    let pool = Pool::new(&[node("a"), node("b"), node("c")]);
    let barrier = std::sync::Arc::new(std::sync::Barrier::new(3));
    let job = |number: usize| {
        let barrier = barrier.clone();
        // One after another, the first would wait for ever.
        move |_: &Device| {
            barrier.wait();
            match number {
                0 | 9 => Ok(number),
                1 => Err(anyhow!("too little memory")),
                _ => panic!("broken"),
            }
        }
    };
    assert_eq!(pool.each([0, 9, 0].map(job).into()), Ok(vec![0, 9, 0]));
    let error = pool.each([0, 2, 1].map(job).into()).unwrap_err();
    assert_eq!(error.to_string(), "node b failed: broken");
    assert_eq!(pool.each([0, 0, 0].map(job).into()), Ok(vec![0, 0, 0]), "a thread goes on after a panic");
}
