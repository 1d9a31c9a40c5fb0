//! Dead letters: why they died, what they hold, and putting them back.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telex_model::Stage;
use telex_operate::{DeadLetters, Letter, OperateError, Replayed, Survey, without_users};
use telex_stream::Message;

use crate::app::App;
use crate::ask::Fields;
use crate::failure::Failure;
use crate::guard;
use crate::look::on_thread;

/// Letters of a page.
const ON_A_PAGE: usize = 100;

/// Bytes of a payload that a page shows.
const SHOWN: usize = 64 << 10;

/// Bytes looked at behind them: longer than the part of an address that names its user.
const CUT: usize = 4 << 10;

/// Replays whose outcome can still be looked at.
const OUTCOMES: usize = 32;

/// Messages put back per second, so that what dies again does not flood its stage.
const RATE: NonZeroU32 = NonZeroU32::MIN.saturating_add(499);

/// Dead letters of an answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LetterList {
    /// The letters, newest first.
    letters: Vec<Letter>,
    /// All there are, by stage and reason.
    groups: Vec<Group>,
}

/// Letters of one stage with one reason.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Group {
    /// The stage.
    stage: String,
    /// The reason.
    reason: String,
    /// How many of them: those listed, which are among the newest 1000 of all stages; of a replay, those put back.
    count: u64,
    /// How many there are in all.
    total: u64,
}

/// One dead letter with what it holds.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WholeLetter {
    /// What the list shows of it.
    #[serde(flatten)]
    letter: Letter,
    /// Its headers.
    headers: BTreeMap<String, String>,
    /// Its value as text; absent where only who is signed in may see it.
    value: Option<String>,
}

/// Which letters to put back.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {
    /// This one alone.
    #[serde(default)]
    id: Option<String>,
    /// Those of this stage.
    #[serde(default)]
    stage: Option<String>,
    /// Those with this reason.
    #[serde(default)]
    reason: Option<String>,
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// What a replay did, or would do.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReplayDone {
    /// Nothing was done.
    dry_run: bool,
    /// Messages put back, by stage and reason.
    groups: Vec<Group>,
    /// Messages left alone, as only their beginning was kept or they are too old to be there any more.
    skipped: u64,
}

fn stage(name: &str) -> Result<Stage, Failure> {
    let stage = Stage::ALL.into_iter().find(|s| s.name() == name);
    stage.ok_or_else(|| Failure::bad("stage: one of poller, fetcher, cleaner, classifier, sink"))
}

/// Letters of the poller hold feeds as they were declared, with their passwords and cookies.
fn is_secret(stage: &str) -> bool {
    stage == Stage::Poller.name()
}

/// Takes away what may quote a secret.
fn hidden(mut letter: Letter) -> Letter {
    if is_secret(stage_of(&letter.id)) {
        letter.detail = None;
    }
    letter.detail = letter.detail.map(|d| without_users(&d).into_owned());
    letter
}

/// Name of the stage that a letter's id begins with.
fn stage_of(id: &str) -> &str {
    id.split('/').next().unwrap_or_default()
}

/// Tells whether a letter is of this stage and has this reason, where they are given.
fn fits(letter: &Letter, stage: Option<Stage>, reason: Option<&str>) -> bool {
    stage.is_none_or(|stage| stage_of(&letter.id) == stage.name())
        && reason.is_none_or(|reason| letter.reason == reason)
}

fn matching(letters: &[Letter], fields: &Fields, limit: usize) -> Result<Vec<Letter>, Failure> {
    let stage = fields.get("stage").map(stage).transpose()?;
    let fitting = letters.iter().filter(|l| fits(l, stage, fields.get("reason")));
    Ok(fitting.take(limit).cloned().collect())
}

/// Counts what is listed of all there are.
fn groups(survey: &Survey) -> Vec<Group> {
    let mut listed: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for letter in &survey.newest {
        *listed.entry((stage_of(&letter.id), &letter.reason)).or_default() += 1;
    }
    let group = |((stage, reason), total): (&(Stage, String), &u64)| Group {
        stage: stage.to_string(),
        reason: reason.clone(),
        count: listed
            .get(&(stage.name(), reason.as_str()))
            .copied()
            .unwrap_or_default(),
        total: *total,
    };
    survey.counts.iter().map(group).collect()
}

/// `GET /api/v1/dead-letters`
pub(crate) async fn list_json(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<LetterList>, Failure> {
    let fields = Fields::parse(uri.query().unwrap_or_default(), &["stage", "reason", "limit"])?;
    let limit = fields.limit(ON_A_PAGE)?;
    let survey = app.looks.letters().await?;
    let mut chosen = matching(&survey.newest, &fields, limit)?;
    if !app.keys.may_see(&headers).await? {
        chosen = chosen.into_iter().map(hidden).collect();
    }
    Ok(Json(LetterList {
        letters: chosen,
        groups: groups(&survey),
    }))
}

#[derive(Serialize)]
struct ListView<'a> {
    letters: Vec<Letter>,
    groups: Vec<Group>,
    /// There are more than are listed.
    older: bool,
    stage: Option<&'a str>,
    reason: Option<&'a str>,
    more: bool,
}

/// `GET /dead-letters`
pub(crate) async fn page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Failure> {
    let fields = Fields::parse(uri.query().unwrap_or_default(), &["stage", "reason"])?;
    let survey = app.looks.letters().await?;
    let mut letters = matching(&survey.newest, &fields, ON_A_PAGE + 1)?;
    let more = letters.len() > ON_A_PAGE;
    letters.truncate(ON_A_PAGE);
    if app.keys.signed_in(&headers).is_none() {
        letters = letters.into_iter().map(hidden).collect();
    }
    let groups = groups(&survey);
    let view = ListView {
        letters,
        older: groups.iter().any(|g| g.total > g.count),
        groups,
        stage: fields.get("stage"),
        reason: fields.get("reason"),
        more,
    };
    app.page("dead_letters.html", app.keys.signed_in(&headers).as_ref(), view)
}

async fn get(app: &App, id: String) -> Result<(Letter, Arc<Message>), Failure> {
    let name = stage_of(&id).to_owned();
    let (bus, prefix) = (Arc::clone(&app.parts.bus), app.parts.prefix.clone());
    let message = on_thread(move || DeadLetters::new(bus.as_ref(), &prefix).get(&id)).await?;
    Ok((Letter::new(stage(&name)?, &message), message))
}

fn headers_of(message: &Message) -> impl Iterator<Item = (String, String)> {
    message.headers.iter().cloned()
}

type Id = (String, String, String);

/// Gives a letter as somebody may see it: without passwords of feeds, unless signed in.
fn seen(letter: Letter, message: &Message, all: bool, longest: usize) -> WholeLetter {
    let value = message.value.as_deref().unwrap_or_default();
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    if all {
        return WholeLetter {
            letter,
            headers: headers_of(message).collect(),
            value: Some(text(value.get(..longest).unwrap_or(value))),
        };
    }
    if is_secret(stage_of(&letter.id)) {
        return WholeLetter {
            letter: hidden(letter),
            headers: BTreeMap::new(),
            value: None,
        };
    }
    let shown = |text: &str| without_users(text).into_owned();
    // A little more, so that no password stands at the end of what is cut off.
    let value = shown(&text(value.get(..longest.saturating_add(CUT)).unwrap_or(value)));
    WholeLetter {
        letter: hidden(letter),
        headers: headers_of(message).map(|(n, v)| (n, shown(&v))).collect(),
        value: Some(value.chars().take(longest).collect()),
    }
}

/// `GET /api/v1/dead-letters/{stage}/{partition}/{offset}`
pub(crate) async fn one_json(
    State(app): State<Arc<App>>,
    Path((stage, partition, offset)): Path<Id>,
    headers: HeaderMap,
) -> Result<Json<WholeLetter>, Failure> {
    let (letter, message) = get(&app, format!("{stage}/{partition}/{offset}")).await?;
    let all = app.keys.may_see(&headers).await?;
    Ok(Json(seen(letter, &message, all, usize::MAX)))
}

#[derive(Serialize)]
struct OneView {
    letter: Letter,
    stage: String,
    headers: BTreeMap<String, String>,
    value: String,
    /// Only who is signed in may see it.
    secret: bool,
    cut: bool,
    article: Option<String>,
}

/// `GET /dead-letters/{stage}/{partition}/{offset}`
pub(crate) async fn one_page(
    State(app): State<Arc<App>>,
    Path((stage, partition, offset)): Path<Id>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (letter, message) = get(&app, format!("{stage}/{partition}/{offset}")).await?;
    let signed_in = app.keys.signed_in(&headers);
    let seen = seen(letter, &message, signed_in.is_some(), SHOWN);
    let view = OneView {
        stage,
        secret: seen.value.is_none(),
        article: seen
            .letter
            .key
            .parse::<telex_model::ArticleId>()
            .ok()
            .map(|id| id.to_string()),
        value: shown(seen.value.unwrap_or_default()),
        cut: seen.letter.bytes > SHOWN,
        headers: seen.headers,
        letter: seen.letter,
    };
    app.page("dead_letter.html", signed_in.as_ref(), view)
}

/// JSON in lines; everything else as it is.
fn shown(value: String) -> String {
    let json = serde_json::from_str::<serde_json::Value>(&value).ok();
    let pretty = json.and_then(|json| serde_json::to_string_pretty(&json).ok());
    pretty.unwrap_or(value)
}

/// `POST /api/v1/dead-letters/replay`
pub(crate) async fn replay_json(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ReplayDone>, Failure> {
    app.keys.may_change(&headers, None).await?;
    let replay: Replay = guard::json(&headers, body).await?;
    Ok(Json(put_back(&app, replay).await?))
}

/// `POST /dead-letters/replay`
pub(crate) async fn replay_form(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let known = ["id", "stage", "reason", "dry_run"];
    let fields = app.keys.form(&headers, body, &known).await?;
    let text = |name| fields.get(name).map(str::to_owned);
    let replay = Replay {
        id: text("id"),
        stage: text("stage"),
        reason: text("reason"),
        dry_run: fields.get("dry_run").is_some(),
    };
    let asked = replay.clone();
    let done = put_back(&app, replay).await?;
    // Elsewhere, so that who loads the result again replays nothing.
    let at = app.replayed.keep(Outcome { asked, done });
    Ok(Redirect::to(&format!("/dead-letters/replayed/{at}")).into_response())
}

/// What came of a replay, to be shown.
#[derive(Debug, Serialize)]
struct Outcome {
    #[serde(flatten)]
    asked: Replay,
    done: ReplayDone,
}

/// What came of the last replays.
#[derive(Debug, Default)]
pub(crate) struct Outcomes(Mutex<VecDeque<(i64, Arc<Outcome>)>>);

impl Outcomes {
    /// Keeps one; gives its number, which is of no other, also after a restart.
    fn keep(&self, outcome: Outcome) -> i64 {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after = kept.back().map_or(0, |(number, _)| number + 1);
        let number = Timestamp::now().as_microsecond().max(after);
        if kept.len() == OUTCOMES {
            kept.pop_front();
        }
        kept.push_back((number, Arc::new(outcome)));
        number
    }

    fn get(&self, number: i64) -> Option<Arc<Outcome>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .find(|(n, _)| *n == number)
            .map(|(_, outcome)| Arc::clone(outcome))
    }
}

/// `GET /dead-letters/replayed/{number}`
pub(crate) async fn replayed_page(
    State(app): State<Arc<App>>,
    Path(number): Path<i64>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let kept = app.replayed.get(number);
    let outcome = kept.ok_or_else(|| Failure::missing("what came of that replay is not kept any more"))?;
    app.page(
        "replayed.html",
        app.keys.signed_in(&headers).as_ref(),
        outcome.as_ref(),
    )
}

async fn put_back(app: &App, replay: Replay) -> Result<ReplayDone, Failure> {
    if replay.id.is_none() && replay.stage.is_none() {
        return Err(Failure::bad("name a letter by its id, or a stage"));
    }
    let Ok(turn) = Arc::clone(&app.replays).try_acquire_owned() else {
        let detail = "another replay is at work; nothing was done";
        return Err(Failure::new(StatusCode::CONFLICT, detail));
    };
    let stage = replay.stage.as_deref().map(stage).transpose()?;
    // Those that were listed, and no others of the same kind.
    let survey = app.looks.letters().await?;
    let listed = Arc::clone(&survey);
    let alone = replay.id.is_some();
    let (bus, prefix) = (Arc::clone(&app.parts.bus), app.parts.prefix.clone());
    let dry_run = replay.dry_run;
    let done = on_thread(move || -> Result<Replayed, OperateError> {
        let _turn = turn;
        let letters = DeadLetters::new(bus.as_ref(), &prefix);
        let chosen: Vec<Letter> = match &replay.id {
            Some(id) => {
                let message = letters.get(id)?;
                let stage = Stage::ALL.into_iter().find(|s| s.name() == stage_of(id));
                stage
                    .map(|stage| Letter::new(stage, &message))
                    .into_iter()
                    .collect()
            }
            None => {
                // The oldest first, as they came.
                let letters = listed.newest.iter().rev();
                let fitting = letters.filter(|l| fits(l, stage, replay.reason.as_deref()));
                fitting.cloned().collect()
            }
        };
        letters.replay(&chosen, dry_run, Some(RATE))
    });
    let done = done.await?;
    app.looks.forget();
    let group = |(kind, count): (&(Stage, String), &u64)| Group {
        stage: kind.0.to_string(),
        reason: kind.1.clone(),
        count: *count,
        total: match survey.counts.get(kind) {
            Some(total) if !alone => *total.max(count),
            _ => *count,
        },
    };
    Ok(ReplayDone {
        dry_run,
        groups: done.counts.iter().map(group).collect(),
        skipped: done.skipped,
    })
}
