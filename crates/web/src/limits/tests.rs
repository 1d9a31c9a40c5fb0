#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn limits(options: HostLimitsOptions) -> HostLimits {
    HostLimits::new(options)
}

fn one_a_second() -> HostLimitsOptions {
    HostLimitsOptions {
        min_interval: SECOND,
        burst: 1,
        concurrency: 10,
        ..HostLimitsOptions::default()
    }
}

#[track_caller]
fn wait(outcome: Result<Permit, Wait>) -> Wait {
    outcome
        .map(|permit| panic!("{} may be asked", permit.host()))
        .unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn requests_keep_their_distance_per_host() {
    let limits = limits(one_a_second());
    let start = Instant::now();
    limits.try_acquire("a:80").unwrap();
    limits.try_acquire("b:80").unwrap();
    assert_eq!(wait(limits.try_acquire("a:80")), Wait::At(start + SECOND));
    // A refusal takes nothing: the instant stays.
    assert_eq!(wait(limits.try_acquire("a:80")), Wait::At(start + SECOND));
    tokio::time::advance(SECOND).await;
    limits.try_acquire("a:80").unwrap();
    // A pause is not saved up.
    tokio::time::advance(10 * SECOND).await;
    limits.try_acquire("a:80").unwrap();
    assert_eq!(
        wait(limits.try_acquire("a:80")),
        Wait::At(Instant::now() + SECOND)
    );
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_lent_and_paid_back() {
    let limits = limits(HostLimitsOptions {
        burst: 3,
        ..one_a_second()
    });
    let start = Instant::now();
    for _ in 0..3 {
        limits.try_acquire("a:80").unwrap();
    }
    assert_eq!(wait(limits.try_acquire("a:80")), Wait::At(start + SECOND));
    tokio::time::advance(SECOND).await;
    limits.try_acquire("a:80").unwrap();
    assert_eq!(wait(limits.try_acquire("a:80")), Wait::At(start + 2 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_crawl_delay_slows_a_host_and_is_clamped() {
    let limits = limits(HostLimitsOptions {
        burst: 4,
        ..one_a_second()
    });
    limits.set_crawl_delay("a:80", 5 * SECOND);
    limits.try_acquire("a:80").unwrap();
    assert_eq!(
        wait(limits.try_acquire("a:80")),
        Wait::At(Instant::now() + 5 * SECOND)
    );
    limits.set_crawl_delay("b:80", Duration::from_secs(86_400));
    limits.try_acquire("b:80").unwrap();
    assert_eq!(
        wait(limits.try_acquire("b:80")),
        Wait::At(Instant::now() + 60 * SECOND)
    );
    // Shorter than what we do anyhow: no change, bursts included.
    limits.set_crawl_delay("c:80", SECOND / 2);
    for _ in 0..4 {
        limits.try_acquire("c:80").unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_closes_a_host_for_all() {
    let limits = limits(one_a_second());
    let start = Instant::now();
    limits.retry_after("a:80", 90 * SECOND);
    limits.retry_after("a:80", 30 * SECOND);
    assert_eq!(wait(limits.try_acquire("a:80")), Wait::At(start + 90 * SECOND));
    limits.try_acquire("b:80").unwrap();
    let permit = limits.acquire("a:80").await;
    assert_eq!(permit.waited(), 90 * SECOND);
    limits.retry_after("c:80", Duration::MAX);
    assert_eq!(
        wait(limits.try_acquire("c:80")),
        Wait::At(Instant::now() + 86_400 * SECOND)
    );
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_bounded_and_a_waiter_gets_the_place() {
    let options = HostLimitsOptions {
        min_interval: Duration::ZERO,
        concurrency: 2,
        ..one_a_second()
    };
    let limits = limits(options);
    let first = limits.try_acquire("a:80").unwrap();
    let second = limits.try_acquire("a:80").unwrap();
    assert_eq!(wait(limits.try_acquire("a:80")), Wait::Busy);
    assert_eq!(limits.in_flight(), 2);
    let others = limits.clone();
    let waiter = tokio::spawn(async move { others.acquire("a:80").await.waited() });
    tokio::time::sleep(3 * SECOND).await;
    drop(first);
    assert_eq!(waiter.await.unwrap(), 3 * SECOND);
    drop(second);
    assert_eq!(limits.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn many_waiters_all_get_through_though_some_give_up() {
    let options = HostLimitsOptions {
        concurrency: 2,
        ..one_a_second()
    };
    let limits = limits(options);
    let started = Instant::now();
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let limits = limits.clone();
            tokio::spawn(async move {
                let patience = if number % 4 == 0 {
                    7 * SECOND
                } else {
                    1000 * SECOND
                };
                let Ok(permit) = tokio::time::timeout(patience, limits.acquire("a:80")).await else {
                    return false;
                };
                tokio::time::sleep(3 * SECOND).await;
                drop(permit);
                true
            })
        })
        .collect();
    let mut served = 0_u32;
    for task in tasks {
        served += u32::from(task.await.unwrap());
    }
    assert!(served >= 30, "{served}");
    // Two at once, three seconds each.
    assert!(
        started.elapsed() >= served / 2 * 3 * SECOND - 3 * SECOND,
        "{:?}",
        started.elapsed()
    );
    assert!(
        started.elapsed() <= served * 3 * SECOND,
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn idle_hosts_are_forgotten_and_the_table_is_bounded() {
    let limits = limits(HostLimitsOptions {
        max_hosts: 100,
        ..one_a_second()
    });
    tokio::time::advance(2 * SECOND).await;
    let kept: Vec<_> = (0..100)
        .map(|number| limits.try_acquire(&format!("{number}:80")).unwrap())
        .collect();
    assert_eq!(limits.len(), 100);
    // Full of hosts in use: a new one waits, a known one does not care.
    assert_eq!(
        wait(limits.try_acquire("new:80")),
        Wait::At(Instant::now() + SWEEP_PAUSE)
    );
    limits.retry_after("new:80", SECOND);
    assert_eq!(limits.len(), 100);
    drop(kept);
    tokio::time::advance(2 * SECOND).await;
    limits.retry_after("5:80", 60 * SECOND);
    limits.try_acquire("new:80").unwrap();
    assert_eq!(limits.len(), 2, "the closed one and the new one");
    assert!(matches!(wait(limits.try_acquire("5:80")), Wait::At(_)));
}

#[test]
fn keys_name_host_and_port() {
    for (url, key) in [
        ("http://example.com/a", "example.com:80"),
        ("https://EXAMPLE.com/", "example.com:443"),
        ("https://[2606:4700::1]:8443/", "[2606:4700::1]:8443"),
    ] {
        assert_eq!(host_key(&Url::parse(url).unwrap()), key);
    }
}
