use proptest::option::weighted;
use proptest::prelude::*;

use super::*;
use crate::trace::fact::Unread;

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000 + secs, 0).unwrap()
}

fn letter(verdict: Verdict) -> Letter {
    Letter {
        message_id: "m1".to_owned(),
        sent_at: at(5),
        is_moved: verdict == Verdict::Ready,
        reason: "missing-attribute: \"time\" is required".to_owned(),
        verdict,
        request_id: None,
    }
}

fn searched(found: Vec<Letter>) -> Letters {
    Letters {
        found,
        leaving: Vec::new(),
        seen: 3,
        rest: Rest::Nothing,
    }
}

fn not_searched(seen: usize, others: Result<u64, String>) -> Letters {
    Letters {
        seen,
        rest: Rest::NotSearched(others),
        ..searched(Vec::new())
    }
}

fn leaving(found: Vec<Letter>, what: Leaving) -> Letters {
    Letters {
        leaving: vec![(letter(Verdict::Ready), what)],
        ..searched(found)
    }
}

fn evidence() -> Evidence {
    Evidence {
        ledger: Ledger::Never,
        letters: searched(Vec::new()),
        queue: Ok(0),
        known: Vec::new(),
        replaced: Vec::new(),
        unread: None,
    }
}

fn of(change: impl FnOnce(&mut Evidence)) -> Conclusion {
    let mut evidence = evidence();
    change(&mut evidence);
    conclude(&evidence, "demo")
}

fn deleted(is_certain: bool) -> Known {
    let file = "q.jsonl".to_owned();
    Known::Deleted { file, is_certain }
}

fn unread(cause: UnreadCause) -> Option<Unread> {
    let text = "journal: damaged".to_owned();
    Some(Unread { cause, text })
}

fn in_lines(cases: &[Conclusion]) -> String {
    let lines = cases.iter().map(|case| {
        let Conclusion {
            state,
            text,
            next_step,
        } = case;
        format!("{}: {text}\n  {next_step}", state.as_str())
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn record() -> Ledger {
    Ledger::Record {
        record_id: RecordId(7),
        ingested_at: at(9),
    }
}

#[test]
fn each_state_is_one_sentence_with_its_next_step() {
    let cases = [
        of(|evidence| evidence.ledger = record()),
        of(|evidence| {
            evidence.ledger = record();
            evidence.letters = searched(vec![letter(Verdict::AlreadyStored)]);
        }),
        of(|evidence| {
            evidence.ledger = record();
            evidence.replaced = vec![RecordId(5), RecordId(3)];
        }),
        of(|evidence| {
            evidence.ledger = record();
            evidence.replaced = vec![RecordId(7)];
        }),
        of(|evidence| evidence.ledger = Ledger::Gone(RecordId(7))),
        of(|evidence| evidence.letters = searched(vec![letter(Verdict::Ready)])),
        of(|evidence| evidence.letters = searched(vec![letter(Verdict::StillInvalid)])),
        of(|evidence| {
            evidence.known = vec![(at(1), Known::Sent)];
            evidence.queue = Ok(12);
        }),
        of(|evidence| evidence.known = vec![(at(1), Known::Sent)]),
        of(|evidence| evidence.known = vec![(at(1), Known::Sent), (at(2), deleted(true))]),
        of(|_| {}),
        of(|evidence| {
            evidence.letters = not_searched(0, Ok(37));
            evidence.queue = Ok(1);
        }),
        of(|evidence| evidence.letters.rest = Rest::Failed("no answer".to_owned())),
        of(|evidence| evidence.queue = Err("no answer".to_owned())),
        of(|evidence| evidence.ledger = Ledger::Unknown("refused".to_owned())),
        of(|evidence| {
            evidence.ledger = Ledger::Unknown("refused".to_owned());
            evidence.letters = searched(vec![letter(Verdict::Ready)]);
        }),
    ];
    assert_eq!(in_lines(&cases), EXPECTED.trim());
}

const EXPECTED: &str = r#"
stored: stored as record 7 at 2026-11-18T11:06:49Z
  nothing is to be done
stored: stored as record 7 at 2026-11-18T11:06:49Z; a dead letter has the same identity
  compare it with the record, then delete it: opsconsole --env demo dlq show m1
stored: stored as record 7 at 2026-11-18T11:06:49Z; a correction replaced record 5, as which it was stored before
  nothing is to be done
stored: stored as record 7 at 2026-11-18T11:06:49Z
  nothing is to be done
gone: it was stored as record 7, and the record is gone: erased, or expired with its partition
  see the erasures of this machine: opsconsole --env demo audit
dead: dead, first sent at 2026-11-18T11:06:45Z: missing-attribute: "time" is required; the ingest would take it now
  redrive it: opsconsole --env demo dlq redrive m1
dead: dead, since 2026-11-18T11:06:45Z: missing-attribute: "time" is required; the ingest would refuse it again
  mend it and redrive it: opsconsole --env demo redrive run m1 --patch PROGRAM
waiting: it has no record yet: it was sent at 2026-11-18T11:06:41Z; the queue reports 12 messages, and one may be it; it is not among the 3 dead letters that were seen
  see whether the ingest keeps up: opsconsole --env demo status
not-stored: it has no record: it was sent at 2026-11-18T11:06:41Z; the queue reports no messages; it is not among the 3 dead letters that were seen
  balance the hops: opsconsole --env demo account --since 24h
not-stored: it has no record: a dead letter of it was deleted at 2026-11-18T11:06:42Z; the queue reports no messages; it is not among the 3 dead letters that were seen
  its copy is in q.jsonl; publish it again, mended where it has to be
not-seen: not seen: the ledger does not know it; the queue reports no messages; it is not among the 3 dead letters that were seen
  check SOURCE and ID; ask the publisher whether SNS confirmed it
not-seen: not seen: the ledger does not know it; the queue reports 1 message, which cannot be searched; 37 dead letters by an approximate count, not searched
  search the dead letters too, which receives them: --search-dead-letters, or key d on the screen
unknown: it has no record; whether it is dead could not be read: no answer
  make the queues reachable, and trace it again
unknown: it has no record; whether it waits in the queue could not be read: no answer
  make the queues reachable, and trace it again
unknown: whether it has a record could not be read: refused
  make the database or the API reachable, and trace it again
unknown: a dead letter of it is there, first sent at 2026-11-18T11:06:45Z (missing-attribute: "time" is required); whether it has a record could not be read: refused
  make the database or the API reachable, and trace it again
"#;

#[test]
fn letter_that_this_console_moves_is_neither_there_nor_to_be_moved_again() {
    let redriven = || leaving(Vec::new(), Leaving::Redriven);
    let cases = [
        of(|evidence| {
            evidence.ledger = record();
            evidence.letters = redriven();
        }),
        of(|evidence| {
            evidence.letters = redriven();
            evidence.known = vec![(at(1), Known::Sent)];
        }),
        of(|evidence| evidence.letters = leaving(Vec::new(), Leaving::Deleted)),
        of(|evidence| {
            evidence.letters = leaving(vec![letter(Verdict::Ready)], Leaving::Redriven);
        }),
        of(|evidence| {
            evidence.ledger = Ledger::Unknown("refused".to_owned());
            evidence.letters = redriven();
        }),
    ];
    let expected = r#"
stored: stored as record 7 at 2026-11-18T11:06:49Z; this console is redriving a dead letter of the same identity
  see how far the redrive is: screen 3; trace it again when it has ended
not-stored: it has no record yet: this console is redriving its dead letter; it was sent at 2026-11-18T11:06:41Z
  see how far the redrive is: screen 3; trace it again when it has ended
not-stored: it has no record yet: this console is deleting its dead letter
  see how far the deletion is: screen 2; trace it again when it has ended
dead: dead, first sent at 2026-11-18T11:06:45Z: missing-attribute: "time" is required; the ingest would take it now; this console is redriving another dead letter of it
  see how far the redrive is: screen 3; trace it again when it has ended
unknown: this console is redriving a dead letter of it; whether it has a record could not be read: refused
  make the database or the API reachable, and trace it again
"#;
    assert_eq!(in_lines(&cases), expected.trim());
}

#[test]
fn what_was_not_read_says_how_it_can_be_and_hides_nothing_that_is_proved() {
    let with = |cause, known: &[(DateTime<Utc>, Known)]| {
        of(|evidence| {
            evidence.unread = unread(cause);
            evidence.known = known.to_vec();
        })
    };
    let cases = [
        with(UnreadCause::Time, &[]),
        with(UnreadCause::File, &[(at(1), Known::PerhapsSent)]),
        with(UnreadCause::AuditLog, &[(at(1), deleted(false))]),
        with(
            UnreadCause::Newer,
            &[(at(1), Known::Named("planned".to_owned()))],
        ),
        with(UnreadCause::File, &[(at(1), Known::Sent)]),
    ];
    let expected = r"
unknown: it has no record; not all that this machine did is known: journal: damaged; the queue reports no messages; it is not among the 3 dead letters that were seen
  trace it again
unknown: it has no record; it may have been sent at 2026-11-18T11:06:41Z; not all that this machine did is known: journal: damaged; the queue reports no messages; it is not among the 3 dead letters that were seen
  mend or move the file, and trace it again
unknown: it has no record; a dead letter of it may have been deleted at 2026-11-18T11:06:41Z; not all that this machine did is known: journal: damaged; the queue reports no messages; it is not among the 3 dead letters that were seen
  see the changes of this machine: opsconsole --env demo audit
unknown: it has no record; the last that is known of it is of 2026-11-18T11:06:41Z: planned; not all that this machine did is known: journal: damaged; the queue reports no messages; it is not among the 3 dead letters that were seen
  trace it with the version that wrote the file
not-stored: it has no record: it was sent at 2026-11-18T11:06:41Z; the queue reports no messages; it is not among the 3 dead letters that were seen
  balance the hops: opsconsole --env demo account --since 24h
";
    assert_eq!(in_lines(&cases), expected.trim());
}

#[test]
fn event_that_this_machine_names_is_not_unseen() {
    let named = Known::Named("published to events by ana: SNS did not take it".to_owned());
    let settled = Known::Settled("redrive r saw it fail again".to_owned());
    let cases = [
        of(|evidence| evidence.known = vec![(at(1), named.clone())]),
        of(|evidence| {
            let (sent, failed) = ((at(1), Known::Sent), (at(2), settled.clone()));
            evidence.known = vec![(at(3), named.clone()), failed, sent];
            evidence.queue = Ok(12);
        }),
    ];
    let expected = r"
not-stored: it has no record: the last that is known of it is of 2026-11-18T11:06:41Z: published to events by ana: SNS did not take it; the queue reports no messages; it is not among the 3 dead letters that were seen
  see the time line; publish it again where it is still wanted
not-stored: it has no record: the last that is known of it is of 2026-11-18T11:06:42Z: redrive r saw it fail again; the queue reports 12 messages, which cannot be searched; it is not among the 3 dead letters that were seen
  see the time line; publish it again where it is still wanted
";
    assert_eq!(in_lines(&cases), expected.trim());
}

/// Others had received 219 of 228 dead letters when a search looked.
#[test]
fn event_is_not_called_unseen_where_a_search_did_not_see_all_dead_letters() {
    let hidden = |known: &[(DateTime<Utc>, Known)]| {
        of(|evidence| {
            evidence.letters.rest = Rest::Unseen;
            evidence.known = known.to_vec();
        })
    };
    let cases = [hidden(&[]), hidden(&[(at(1), Known::Sent)])];
    let expected = r"
unknown: it has no record; whether it is dead is not known: the queue reports no messages; it is not among the 3 dead letters that were seen; other dead letters may be there that were not seen
  search again when others have released the dead letters that they received
not-stored: it has no record: it was sent at 2026-11-18T11:06:41Z; the queue reports no messages; it is not among the 3 dead letters that were seen; other dead letters may be there that were not seen
  balance the hops: opsconsole --env demo account --since 24h
";
    assert_eq!(in_lines(&cases), expected.trim());
}

#[test]
fn approximate_count_proves_no_absence() {
    let letters = |seen, others| {
        let conclusion = of(|evidence| evidence.letters = not_searched(seen, Ok(others)));
        assert_eq!(conclusion.next_step, SEARCH, "only a search shows it");
        let text = conclusion.text;
        text.rsplit_once("messages; ").unwrap().1.to_owned()
    };
    let seen = [
        letters(0, 0),
        letters(1, 0),
        letters(37, 0),
        letters(37, 12),
    ];
    let expected = [
        "by an approximate count there are no dead letters",
        "it is not the 1 dead letter that was seen; by an approximate count there are no other dead letters",
        "it is not among the 37 dead letters that were seen; by an approximate count there are no other dead letters",
        "it is not among the 37 dead letters that were seen; 12 other dead letters by an approximate count, not searched",
    ];
    assert_eq!(seen, expected);
}

fn ledgers() -> impl Strategy<Value = Ledger> {
    prop_oneof![
        (1_i64..9, 0_i64..99).prop_map(|(id, secs)| Ledger::Record {
            record_id: RecordId(id),
            ingested_at: at(secs),
        }),
        (1_i64..9).prop_map(|id| Ledger::Gone(RecordId(id))),
        Just(Ledger::Never),
        Just(Ledger::Unknown("why".to_owned())),
    ]
}

fn letters() -> impl Strategy<Value = Letters> {
    let why = || "why".to_owned();
    let rest = prop_oneof![
        3 => Just(Rest::Nothing),
        1 => Just(Rest::Unseen),
        2 => (0_u64..3).prop_map(|number| Rest::NotSearched(Ok(number))),
        1 => Just(Rest::NotSearched(Err(why()))),
        1 => Just(Rest::Failed(why())),
    ];
    let found = proptest::sample::subsequence(Verdict::ALL.to_vec(), 0..=2);
    let leaving = proptest::sample::subsequence(vec![Leaving::Redriven, Leaving::Deleted], 0..=1);
    (
        rest,
        weighted(0.3, found),
        weighted(0.3, leaving),
        0_usize..4,
    )
        .prop_map(|(rest, found, leaving, seen)| Letters {
            found: found.into_iter().flatten().map(letter).collect(),
            leaving: leaving
                .into_iter()
                .flatten()
                .map(|what| (letter(Verdict::Ready), what))
                .collect(),
            seen,
            rest,
        })
}

fn knowns() -> impl Strategy<Value = Vec<(DateTime<Utc>, Known)>> {
    let known = prop_oneof![
        Just(Known::Sent),
        Just(Known::PerhapsSent),
        any::<bool>().prop_map(deleted),
        Just(Known::Settled("settled".to_owned())),
        Just(Known::Named("named".to_owned())),
    ];
    proptest::collection::vec(((0_i64..99).prop_map(at), known), 0..3)
}

fn unreads() -> impl Strategy<Value = Option<Unread>> {
    let causes = [
        UnreadCause::Time,
        UnreadCause::AuditLog,
        UnreadCause::Newer,
        UnreadCause::File,
    ];
    weighted(0.4, proptest::sample::select(causes.to_vec()))
        .prop_map(|cause| cause.and_then(unread))
}

fn evidences() -> impl Strategy<Value = Evidence> {
    let queue = prop_oneof![4 => (0_u64..3).prop_map(Ok), 1 => Just(Err("why".to_owned()))];
    let replaced = proptest::collection::vec((1_i64..9).prop_map(RecordId), 0..2);
    (ledgers(), letters(), queue, knowns(), replaced, unreads()).prop_map(
        |(ledger, letters, queue, known, replaced, unread)| Evidence {
            ledger,
            letters,
            queue,
            known,
            replaced,
            unread,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_is_called_stored_or_there_that_was_not_seen_so(evidence in evidences()) {
        let Conclusion { state, text, next_step } = conclude(&evidence, "demo");
        let has_record = matches!(evidence.ledger, Ledger::Record { .. });
        let is_known = has_record || matches!(evidence.ledger, Ledger::Gone(_));
        prop_assert_eq!(state == TraceState::Stored, has_record);
        prop_assert_eq!(state == TraceState::Gone, is_known && !has_record);
        prop_assert_eq!(text.contains("stored"), is_known, "{}", text);
        let is_there = !evidence.letters.found.is_empty();
        prop_assert!(is_there || state != TraceState::Dead);
        for said in ["a dead letter of it is there", "a dead letter has the same", "dead, "] {
            prop_assert!(is_there || !text.contains(said), "{}", text);
        }
        for advised in [" m1", " m2", "delete it", "redrive it"] {
            prop_assert!(is_there || !next_step.contains(advised), "{}", next_step);
        }
        // What this console redrives or deletes is not to be redriven again.
        let is_leaving = !evidence.letters.leaving.is_empty();
        prop_assert!(!is_leaving || !next_step.contains("redrive it:"), "{}", next_step);
        prop_assert!(!next_step.is_empty() && !text.contains('\n'));
    }

    #[test]
    fn what_happened_is_said_only_where_a_file_proves_it(evidence in evidences()) {
        let Conclusion { state, text, .. } = conclude(&evidence, "demo");
        let has = |wanted: &dyn Fn(&Known) -> bool| evidence.known.iter().any(|(_, known)| wanted(known));
        let is_sent = has(&|known| *known == Known::Sent);
        let is_deleted = has(&|known| *known == deleted(true));
        prop_assert!(is_sent || !text.contains("it was sent at"), "{}", text);
        prop_assert!(is_deleted || !text.contains("was deleted at"), "{}", text);
        if state == TraceState::Waiting {
            prop_assert!(has(&|known| known.is_send()));
            prop_assert!(evidence.queue.as_ref().is_ok_and(|number| *number > 0));
        }
        if state == TraceState::NotStored && evidence.letters.leaving.is_empty() {
            let is_proved = has(&|known| known.is_proof());
            prop_assert!(is_proved || evidence.unread.is_none() && !evidence.known.is_empty());
        }
        if matches!(state, TraceState::Waiting | TraceState::NotStored | TraceState::NotSeen) {
            prop_assert_eq!(&evidence.ledger, &Ledger::Never);
        }
    }

    #[test]
    fn nothing_is_called_unseen_that_may_be_where_nobody_looked(evidence in evidences()) {
        let Conclusion { state, next_step, .. } = conclude(&evidence, "demo");
        let Evidence { ledger, letters, queue, known, unread, .. } = &evidence;
        let is_unreachable = queue.is_err()
            || matches!(letters.rest, Rest::Failed(_) | Rest::NotSearched(Err(_)));
        if state == TraceState::NotSeen {
            prop_assert!(letters.found.is_empty() && letters.leaving.is_empty());
            prop_assert!(known.is_empty() && unread.is_none() && !is_unreachable);
            prop_assert!(letters.rest != Rest::Unseen);
            let is_search_left = matches!(letters.rest, Rest::NotSearched(_));
            prop_assert_eq!(is_search_left, next_step == SEARCH);
        }
        if state == TraceState::Unknown {
            let is_in_doubt = matches!(ledger, Ledger::Unknown(_));
            let is_unseen = letters.rest == Rest::Unseen;
            prop_assert!(is_in_doubt || is_unreachable || unread.is_some() || is_unseen);
        }
    }
}
