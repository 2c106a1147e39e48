//! The contract of a commit: what it writes, what it refuses, and that it is whole or absent.

use std::sync::Arc;

use everkey::model::CredentialStatus;
use everkey::model::Entry;
use everkey::model::HandoffStatus;
use everkey::model::IntegrationName;
use everkey::model::KeyId;
use everkey::model::RotationId;
use everkey::model::SealId;
use everkey::model::State;
use everkey::ports::Commit;
use everkey::ports::StoreError;
use jiff::SignedDuration;

use crate::contract::Bench;
use crate::contract::everything;
use crate::contract::held;
use crate::samples::acknowledgement;
use crate::samples::app;
use crate::samples::credential;
use crate::samples::entry;
use crate::samples::handoff;
use crate::samples::integration;
use crate::samples::moved;
use crate::samples::notice;
use crate::samples::now;
use crate::samples::one_of_everything;
use crate::samples::rotation;
use crate::samples::seal_item;

pub async fn a_commit_reads_back_as_it_was_written(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let mut finished = moved(&rotation(1, "slot-1"), State::Done);
    finished.finished = Some(now());
    store.commit(fence, Commit { rotation: Some(finished.clone()), ..Commit::new(now(), "e") }).await.unwrap();
    store.commit(fence, one_of_everything(2)).await.unwrap();

    for store in [Arc::clone(&store), bench.open().await] {
        let name = IntegrationName::from("reapit-lead-imports");
        assert_eq!(store.rotations(&name).await.unwrap(), [finished.clone(), rotation(2, "slot-2")]);
        assert_eq!(store.rotations(&"other".into()).await.unwrap(), []);
        assert_eq!(store.unfinished().await.unwrap(), [rotation(2, "slot-2")]);
        assert_eq!(store.rotation(RotationId(1)).await.unwrap(), Some(finished.clone()));
        assert_eq!(store.rotation(RotationId(3)).await.unwrap(), None);
        let credentials = [credential("k-1", CredentialStatus::Fresh), credential("k-2", CredentialStatus::Fresh)];
        assert_eq!(store.credentials(None).await.unwrap(), credentials);
        assert_eq!(store.credentials(Some(&name)).await.unwrap(), credentials);
        assert_eq!(store.credentials(Some(&"other".into())).await.unwrap(), []);
        assert_eq!(store.integrations().await.unwrap(), [integration()]);
        assert_eq!(store.handoffs().await.unwrap(), [handoff("h-0001"), handoff("h-0002")]);
        let unsent = store.unsent().await.unwrap();
        assert_eq!(unsent.len(), 2);
        assert_eq!((&unsent[0].notice, unsent[0].created, unsent[0].tries), (&notice("n-1"), now(), 0));
        let value = store.unseal(&"2/1/secret".into(), &app()).await.unwrap();
        assert_eq!(value.expose_text(), Some("Q3z8Q~value-2"));
        assert_eq!(store.history(None).await.unwrap().len(), 4);
    }
}

pub async fn a_conflict_writes_nothing_at_all(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    store.commit(fence, one_of_everything(1)).await.unwrap();
    store.commit(fence, one_of_everything(3)).await.unwrap();
    let current = moved(&rotation(1, "slot-1"), State::Ready);
    store.commit(fence, Commit { rotation: Some(current.clone()), ..Commit::new(now(), "e") }).await.unwrap();
    let before = everything(&*store).await;

    let mut stale = current.clone();
    let mut ahead = current.clone();
    (stale.version, ahead.version) = (2, 4);
    let mut unknown = current.clone();
    unknown.id = RotationId(9);
    for rotation in [stale, ahead, unknown] {
        let commit = Commit { rotation: Some(rotation), destroy: vec!["3/1/secret".into()], ..one_of_everything(2) };
        assert!(matches!(store.commit(fence, commit).await, Err(StoreError::Fenced)));
        assert_eq!(everything(&*store).await, before);
    }
    // A failure after all the rest was written: the second value has the name of one that is there.
    let mut last = one_of_everything(2);
    last.seal.push(seal_item("1/1/secret", "another"));
    assert!(matches!(store.commit(fence, last).await, Err(StoreError::Failed(_))));
    assert_eq!(everything(&*store).await, before);
    assert_eq!(store.verify_history().await.unwrap(), None);
    store.commit(fence, one_of_everything(2)).await.unwrap();
}

pub async fn a_new_rotation_never_replaces_another(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let again = Commit { rotation: Some(rotation(1, "elsewhere")), ..Commit::new(now(), "e") };
    assert!(matches!(store.commit(fence, again).await, Err(StoreError::Fenced)));
    assert_eq!(store.rotation(RotationId(1)).await.unwrap(), Some(rotation(1, "slot-1")));
}

pub async fn one_open_rotation_per_slot(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    let start = |rotation| Commit { rotation: Some(rotation), ..Commit::new(now(), "e") };
    store.commit(fence, start(rotation(1, "primary"))).await.unwrap();
    match store.commit(fence, start(rotation(2, "primary"))).await {
        Err(StoreError::Failed(why)) => assert!(why.contains("primary") && why.contains("r-0002"), "{why}"),
        other => panic!("{other:?}"),
    }
    store.commit(fence, start(rotation(3, "other"))).await.unwrap();
    // Superseded is terminal for this rule although there is still something to tidy up.
    let superseded = moved(&rotation(1, "primary"), State::SupersededUnconfirmed);
    store.commit(fence, start(superseded)).await.unwrap();
    store.commit(fence, start(rotation(2, "primary"))).await.unwrap();
    assert_eq!(store.unfinished().await.unwrap().len(), 3);
}

/// I4 within one transaction: a rotation is closed and another of the same slot opened, both or neither.
pub async fn one_is_closed_and_another_opened_in_one_transaction(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    let start = Commit { rotation: Some(rotation(1, "primary")), ..Commit::new(now(), "e") };
    store.commit(fence, start).await.unwrap();
    let about = |id| Entry {
        integration: Some("reapit-lead-imports".into()),
        rotation: Some(RotationId(id)),
        kind: "emergency".into(),
        text: "e".into(),
        body: serde_json::Value::Null,
    };
    let swap = |closes, opens| Commit {
        closes: Some(closes),
        rotation: Some(opens),
        entries: vec![about(1), about(2)],
        ..Commit::new(now(), "e")
    };
    let closed = moved(&rotation(1, "primary"), State::SupersededByEmergency);
    let before = everything(store.as_ref()).await;
    // Somebody else changed it meanwhile: the new one is not there either.
    let stale = everkey::model::Rotation { version: 7, ..closed.clone() };
    assert!(matches!(store.commit(fence, swap(stale, rotation(2, "primary"))).await, Err(StoreError::Fenced)));
    // One that is open stays in the way.
    let open = moved(&rotation(1, "primary"), State::Verified);
    assert!(store.commit(fence, swap(open, rotation(2, "primary"))).await.is_err());
    assert_eq!(everything(store.as_ref()).await, before);

    store.commit(fence, swap(closed.clone(), rotation(2, "primary"))).await.unwrap();
    assert_eq!(store.unfinished().await.unwrap(), [closed, rotation(2, "primary")]);
    let links = store.links(1, 9).await.unwrap();
    let states: Vec<_> = links.iter().rev().take(2).rev().map(|link| (link.state.as_deref(), link.version)).collect();
    assert_eq!(states, [(Some("superseded-by-emergency"), Some(2)), (Some("planned"), Some(1))]);
    assert_eq!(store.verify_history().await.unwrap(), None);
}

pub async fn an_upsert_changes_the_record_and_keeps_its_place(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    store.commit(fence, one_of_everything(1)).await.unwrap();
    store.commit(fence, one_of_everything(2)).await.unwrap();
    let opened = everkey::model::Handoff {
        opened: Some((now(), "priya.shah@contoso.example".into())),
        status: HandoffStatus::Confirmed { at: now(), by: "priya.shah@contoso.example".into() },
        ..handoff("h-0001")
    };
    let consented = everkey::model::IntegrationRecord { consented: Some(now()), ..integration() };
    let commit = Commit {
        credentials: vec![credential("k-1", CredentialStatus::Retired)],
        handoffs: vec![opened.clone()],
        integrations: vec![consented.clone()],
        ..Commit::new(now(), "everkey")
    };
    store.commit(fence, commit).await.unwrap();
    let credentials = [credential("k-1", CredentialStatus::Retired), credential("k-2", CredentialStatus::Fresh)];
    assert_eq!(store.credentials(None).await.unwrap(), credentials);
    assert_eq!(store.handoffs().await.unwrap(), [opened, handoff("h-0002")]);
    assert_eq!(store.integrations().await.unwrap(), [consented]);
}

pub async fn a_known_notice_is_not_queued_again(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    let later = now() + SignedDuration::from_mins(1);
    let mut changed = notice("n-1");
    changed.title = "Another title".into();
    let notices = vec![notice("n-1"), notice("n-2"), changed.clone()];
    store.commit(fence, Commit { notices, ..Commit::new(now(), "e") }).await.unwrap();
    store.mark_failed(fence, "n-1", "the mail server does not answer").await.unwrap();
    store.mark_sent(fence, "n-1", later).await.unwrap();
    store.commit(fence, Commit { notices: vec![changed], ..Commit::new(later, "e") }).await.unwrap();
    // Sent is sent: neither a late failure nor a second success changes it or the history.
    store.mark_failed(fence, "n-1", "late").await.unwrap();
    store.mark_sent(fence, "n-1", later + SignedDuration::from_mins(1)).await.unwrap();

    let outbox = store.outbox().await.unwrap();
    assert_eq!(outbox.len(), 2);
    assert_eq!((&outbox[0].notice, outbox[0].sent, outbox[0].tries), (&notice("n-1"), Some(later), 2));
    assert_eq!((&outbox[1].notice, outbox[1].sent, outbox[1].tries), (&notice("n-2"), None, 0));
    let unsent = store.unsent().await.unwrap();
    assert_eq!(unsent.iter().map(|waiting| waiting.notice.key.as_str()).collect::<Vec<_>>(), ["n-2"]);
    let history = store.history(None).await.unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!((history[0].entry.kind.as_str(), history[0].at), ("mail", later));
    assert!(history[0].entry.text.contains("priya.shah@contoso.example"));
    assert_eq!(store.verify_history().await.unwrap(), None);
    assert!(matches!(store.mark_sent(fence, "n-9", later).await, Err(StoreError::Failed(_))));
    assert!(matches!(store.mark_failed(fence, "n-9", "why").await, Err(StoreError::Failed(_))));
}

pub async fn history_is_one_chain_without_gaps(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    assert_eq!(store.verify_history().await.unwrap(), None);
    let mut other = entry(1, "of another");
    other.integration = Some("other".into());
    let mut tool = entry(1, "of the tool");
    (tool.integration, tool.rotation, tool.body) = (None, None, serde_json::Value::Null);
    let entries = vec![entry(1, "one"), entry(1, "one"), other.clone(), tool.clone()];
    store.commit(fence, Commit { entries, ..Commit::new(now(), "priya.shah@contoso.example") }).await.unwrap();

    let history = store.history(None).await.unwrap();
    assert_eq!(history.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let told = [entry(1, "one"), entry(1, "one"), other.clone(), tool];
    assert!(history.iter().zip(told).all(|(recorded, told)| recorded.entry == told));
    assert!(history.iter().all(|entry| entry.at == now() && entry.actor == "priya.shah@contoso.example"));
    assert_ne!(history[0].hash, history[1].hash, "equal entries differ by their place");
    let of_other = store.history(Some(&"other".into())).await.unwrap();
    assert_eq!(of_other.iter().map(|entry| (entry.seq, &entry.entry)).collect::<Vec<_>>(), [(3, &other)]);
    assert_eq!(bench.open().await.verify_history().await.unwrap(), None);
}

pub async fn a_sealed_value_opens_for_its_app_alone_and_can_be_destroyed(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    let id = SealId::from("1/1/secret");
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let mut stranger = app();
    stranger.object_id = "7f4e0000-0000-4000-8000-000000000009".into();
    assert!(matches!(store.unseal(&id, &stranger).await, Err(StoreError::Unseal(named)) if named == id));
    assert!(store.unseal(&id, &app()).await.is_ok());

    let destroy = || Commit { destroy: vec![id.clone()], ..Commit::new(now(), "e") };
    store.commit(fence, destroy()).await.unwrap();
    assert!(matches!(store.unseal(&id, &app()).await, Err(StoreError::Failed(why)) if why.contains("1/1/secret")));
    store.commit(fence, destroy()).await.unwrap();
}

pub async fn a_sealed_value_is_never_written_over(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let again = Commit { seal: vec![seal_item("1/1/secret", "another")], ..Commit::new(now(), "e") };
    assert!(matches!(store.commit(fence, again).await, Err(StoreError::Failed(_))));
    let value = store.unseal(&"1/1/secret".into(), &app()).await.unwrap();
    assert_eq!(value.expose_text(), Some("Q3z8Q~value-1"));
}

pub async fn acknowledgements_and_sign_ins_pile_up(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    let key = KeyId::from("k-1");
    // As text, `08:30:00.5Z` sorts before `08:30:00Z`.
    let whole = "2026-11-20T08:30:00Z".parse().unwrap();
    let half = "2026-11-20T08:30:00.5Z".parse().unwrap();
    let first = Commit {
        sign_ins: vec![(key.clone(), half, Some("b".into())), (key.clone(), whole, None), ("k-2".into(), half, None)],
        acknowledgements: vec![acknowledgement()],
        ..Commit::new(now(), "e")
    };
    store.commit(fence, first).await.unwrap();
    let mut second = acknowledgement();
    second.by = "sam.okafor@contoso.example".into();
    let acknowledgements = vec![second.clone(), second.clone()];
    store.commit(fence, Commit { acknowledgements, ..Commit::new(now(), "e") }).await.unwrap();
    assert_eq!(store.sign_ins(&key).await.unwrap(), [(half, Some("b".into())), (whole, None)]);
    assert_eq!(store.acknowledgements().await.unwrap(), [acknowledgement(), second.clone(), second]);
}

pub async fn slots_are_those_of_rotations_and_credentials(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    store.commit(fence, one_of_everything(1)).await.unwrap();
    store.commit(fence, one_of_everything(2)).await.unwrap();
    let slots = store.slots().await.unwrap();
    let names: Vec<&str> = slots.iter().map(|(_, slot)| slot.as_str()).collect();
    assert_eq!(names, ["primary", "slot-1", "slot-2"]);
    assert!(slots.iter().all(|(integration, _)| integration.as_str() == "reapit-lead-imports"));
}

pub async fn preflight_leaves_nothing_behind(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let before = everything(&*store).await;
    store.preflight(fence).await.unwrap();
    store.preflight(fence).await.unwrap();
    assert_eq!(everything(&*store).await, before);
}

pub async fn many_writers_of_one_version_have_one_winner(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let writers: Vec<_> = (0..20)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let rotation = Some(moved(&rotation(1, "slot-1"), State::Ready));
                let entries = vec![entry(1, &format!("writer {writer}"))];
                let won = store.commit(fence, Commit { rotation, entries, ..Commit::new(now(), "e") }).await;
                won.map(|()| format!("writer {writer}"))
            })
        })
        .collect();
    let mut winners = Vec::new();
    for writer in writers {
        match writer.await.unwrap() {
            Ok(name) => winners.push(name),
            Err(error) => assert!(matches!(error, StoreError::Fenced), "{error}"),
        }
    }
    assert_eq!(winners.len(), 1);
    let history = store.history(None).await.unwrap();
    assert_eq!(history.last().map(|entry| &entry.entry.text), winners.first());
    assert_eq!(history.len(), 3);
    assert_eq!(store.verify_history().await.unwrap(), None);
}

pub async fn a_cancelled_commit_is_whole_or_absent(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let before = everything(&*store).await;
    let mut cut = 0;
    // The commit is polled a few times more in each round before it is dropped.
    for polls in 0.. {
        let id = 100 + polls;
        let mut commit = store.commit(fence, one_of_everything(id));
        let mut left = polls;
        let finished = std::future::poll_fn(|context| {
            let poll = commit.as_mut().poll(context);
            if poll.is_pending() && left == 0 {
                return std::task::Poll::Ready(None);
            }
            left -= u64::from(poll.is_pending());
            poll.map(Some)
        })
        .await;
        drop(commit);
        let there = store.rotation(RotationId(id)).await.unwrap().is_some();
        assert_eq!(store.unseal(&SealId(format!("{id}/1/secret")), &app()).await.is_ok(), there, "round {polls}");
        assert_eq!(store.verify_history().await.unwrap(), None);
        if let Some(result) = finished {
            result.unwrap();
            assert!(there);
            break;
        }
        if !there {
            cut += 1;
        }
    }
    assert!(cut > 0, "no round was cut short");
    assert_ne!(everything(&*store).await, before);
}
