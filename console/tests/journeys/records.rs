//! What an operator does who looks for a few records among many: types a filter with completion, goes to the other end
//! of the list and back, shows what matters in columns, compares two records, keeps the filter, and uses it again.

use std::path::Path;
use std::time::Duration;

use store::PgPool;

use crate::support::program::Program;
use crate::support::pty::Session;
use crate::support::{configuration, stack};

const PROGRAM: &str = env!("CARGO_BIN_EXE_opsconsole");
/// Limit of one step. Generous: the machine may be busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);
const EVENTS: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn few_records_are_found_among_many_and_the_filter_is_kept() {
    let stack = stack::start().await;
    let endpoints = stack.endpoints();
    let pool = PgPool::connect(&endpoints.database_url).await.unwrap();
    let bodies: Vec<String> = (0..EVENTS)
        .map(|number| {
            let (minute, second) = (number / 60, number % 60);
            format!(
                r#"{{"specversion":"1.0","id":"n-{number:04}","source":"/apps/crew","type":"trip.made","time":"2026-03-01T12:{minute:02}:{second:02}Z","data":{{"number":{number}}}}}"#
            )
        })
        .collect();
    let events: Vec<_> = bodies
        .iter()
        .map(|body| event::parse_event(body).unwrap())
        .collect();
    store::write_batch(&pool, &events).await.unwrap();
    pool.close().await;
    let program = Program::new();
    let folder = program.configure("").parent().unwrap().to_owned();
    let configuration = configuration::of(endpoints, &folder);
    let configuration = configuration.to_str().unwrap().to_owned();
    let journey = tokio::task::spawn_blocking(move || walk(&program, &configuration));
    journey.await.unwrap();
    stack.stop().await.unwrap();
}

fn walk(program: &Program, configuration: &str) {
    let state = program.home().join("state");
    let variables = [("XDG_STATE_HOME", state.to_str().unwrap())];
    let arguments = ["--config", configuration, "--env", "test"];
    let mut session = Session::start(Path::new(PROGRAM), &arguments, &variables, (160, 45));
    session.press("5");
    session.wait_for("n-0299", LIMIT);

    // What is wrong is told as one types, and what is known completes it.
    session.press("/typ=");
    session.wait_for("typ= is unknown", LIMIT);
    session.press("\u{15}trip");
    session.wait_for("type=trip.made  300 records", LIMIT);
    session.press("\t2026-03-01\r");
    session.wait("the filtered list", LIMIT, |screen| {
        screen.contains("1 / 100 loaded, more below · type=trip.made 2026-03-01")
    });

    // The other end of the list, and the page above it.
    session.press("G");
    session.wait("the oldest record", LIMIT, |screen| {
        screen.contains("n-0000") && screen.contains("more above")
    });
    session.press("\u{1b}[5~\u{1b}[5~\u{1b}[5~");
    session.wait("the page above", LIMIT, |screen| screen.contains(" / 200"));
    session.press("g");
    session.wait("the newest record", LIMIT, |screen| {
        screen.contains("n-0299") && screen.contains("1 / 100 loaded, more below")
    });

    session.press("c/data/num");
    session.wait_for("/data/number  299", LIMIT);
    session.press("\t\r");
    session.wait("the column", LIMIT, |screen| {
        let heading = screen.lines().find(|line| line.contains("time UTC"));
        heading.is_some_and(|line| line.contains("number"))
    });

    session.press("d");
    session.wait_for("comparing with", LIMIT);
    session.press("jd");
    session.wait("the difference", LIMIT, |screen| {
        let line = |sign: &str, id: &str| {
            let mut lines = screen.lines();
            lines.any(|line| line.starts_with(sign) && line.contains(id))
        };
        line(" -", "n-0299") && line(" +", "n-0298")
    });
    session.press("\u{1b}");
    session.wait("the list again", LIMIT, |screen| {
        !screen.contains("─ Difference")
    });

    session.press("smine\r");
    session.wait_for("saved: /@mine", LIMIT);
    session.press("e");
    session.wait_for(
        "opsconsole --env test export --from 2026-03-01T00:00:00Z",
        LIMIT,
    );
    session.press("\u{1b}");
    session.wait("the list again", LIMIT, |screen| {
        !screen.contains("Export of this filter")
    });

    // The filter can be left, and comes back by its name.
    session.press("x");
    session.wait("all records", LIMIT, |screen| {
        !screen.contains("· type=trip.made")
    });
    session.press("/@mi");
    session.wait_for("@mine  type=trip.made 2026-03-01", LIMIT);
    session.press("\t\r");
    session.wait_for("· type=trip.made 2026-03-01", LIMIT);
    session.press("T");
    session.wait_for("─ Trace", LIMIT);
    session.press("q");
    assert!(session.wait_for_exit(LIMIT).success());

    // A command takes the same filter.
    let of_console = program.json_ok(&["records", "list", "@mine", "--limit", "2"]);
    let by_options = ["records", "list", "--type", "trip.made", "--limit", "2"];
    let by_options = program.json_ok(&by_options);
    assert_eq!(of_console.get("items"), by_options.get("items"));
    let id = |pointer: &str| of_console.pointer(pointer).unwrap().to_string();
    let (one, other) = (id("/items/0/record_id"), id("/items/1/record_id"));
    let difference = program.json_ok(&["records", "diff", &one, &other]);
    let changes = difference.get("changes").and_then(|it| it.as_array());
    let pointers = changes.unwrap().iter().map(|change| change.get("pointer"));
    let pointers: Vec<&str> = pointers.map(|it| it.unwrap().as_str().unwrap()).collect();
    assert_eq!(pointers, ["/data/number", "/id", "/time"]);
    program.json_ok(&["records", "filters", "remove", "mine"]);
    assert_eq!(program.run(&["records", "list", "@mine"]).code, 2);
}
