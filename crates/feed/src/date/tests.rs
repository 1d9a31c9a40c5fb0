use expect_test::{Expect, expect};

use super::parse_date;

/// Reads one date a line and compares instant and confidence.
fn check(dates: &str, expect: &Expect) {
    let read = |text: &str| match parse_date(text) {
        Some(date) => format!("{} {:?} <- {text}\n", date.at, date.confidence),
        None => format!("none <- {text}\n"),
    };
    expect.assert_eq(
        &dates
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(read)
            .collect::<String>(),
    );
}

#[test]
fn rfc822_whole_and_broken() {
    check(
        "Mon, 13 Jul 2026 10:00:00 +0200
        Mon, 13 Jul 2026 10:00:00 GMT
        13 Jul 2026 10:00 Z
        Mon, 13 July 2026 10:00:00 EDT
        Mon, 13 Jul 26 10:00:00 PST
        Monday, 13-Jul-26 10:00:00 GMT
        Mon Jul 13 10:00:00 2026
        Mon Jul 13 10:00:00 EDT 2026
        Tue, 13 Jul 2026 10:00:00 +0000
        Mon,13 Jul 2026 10:00:00+0300
        Mon, 13 Jul 2026 10:00:00 +03:00
        Mon, 13 Jul 2026 10:00:00 GMT+3
        Mon, 13 Jul 2026 10:00:00 UTC+0300
        Mon, 13 Jul 2026 10:00:00 GMT+0300 (MSK)
        Mon, 13 Jul 2026 10:00:00 Europe/Kiev
        Tue, 13 Jan 2026 10:00:00 Europe/Kyiv
        Mon, 13 Jul 2026 24:00:00 GMT
        Mon, 13 Jul 2026 23:59:60 GMT
        Mon, 13 Jul 2026 10:00:00
        Mon, 13 Jul 2026
        Mon, 31 Jun 2026 10:00:00 GMT
        Mon, 13 Jul 2026 10:00:00 XYZ",
        &expect![[r#"
            2026-07-13T08:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 +0200
            2026-07-13T10:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 GMT
            2026-07-13T10:00:00Z Exact <- 13 Jul 2026 10:00 Z
            2026-07-13T14:00:00Z Exact <- Mon, 13 July 2026 10:00:00 EDT
            2026-07-13T18:00:00Z Exact <- Mon, 13 Jul 26 10:00:00 PST
            2026-07-13T10:00:00Z Exact <- Monday, 13-Jul-26 10:00:00 GMT
            2026-07-13T10:00:00Z AssumedZone <- Mon Jul 13 10:00:00 2026
            2026-07-13T14:00:00Z Exact <- Mon Jul 13 10:00:00 EDT 2026
            2026-07-13T10:00:00Z Exact <- Tue, 13 Jul 2026 10:00:00 +0000
            2026-07-13T07:00:00Z Exact <- Mon,13 Jul 2026 10:00:00+0300
            2026-07-13T07:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 +03:00
            2026-07-13T07:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 GMT+3
            2026-07-13T07:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 UTC+0300
            2026-07-13T07:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 GMT+0300 (MSK)
            2026-07-13T07:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 Europe/Kiev
            2026-01-13T08:00:00Z Exact <- Tue, 13 Jan 2026 10:00:00 Europe/Kyiv
            2026-07-14T00:00:00Z Exact <- Mon, 13 Jul 2026 24:00:00 GMT
            2026-07-13T23:59:59Z Exact <- Mon, 13 Jul 2026 23:59:60 GMT
            2026-07-13T10:00:00Z AssumedZone <- Mon, 13 Jul 2026 10:00:00
            2026-07-13T00:00:00Z DateOnly <- Mon, 13 Jul 2026
            2026-06-30T10:00:00Z Guessed <- Mon, 31 Jun 2026 10:00:00 GMT
            2026-07-13T10:00:00Z AssumedZone <- Mon, 13 Jul 2026 10:00:00 XYZ
        "#]],
    );
}

#[allow(clippy::too_many_lines, reason = "a table of cases")]
#[test]
fn iso_and_numbers() {
    check(
        "1784102400
        1784102400000
        2026-07-13T10:00:00Z
        2026-07-13T10:00:00+03:00
        2026-07-13T10:00:00.123456789+03:00
        2026-07-13 10:00:00
        2026-07-13 10:00:00 +0300
        2026-07-13T10:00Z
        2026-07-13T10:00
        2026-07-13
        2026-07
        2026
        2026/07/13 10:00:00
        2026.07.13 10:00
        20260713T100000Z
        20260713100000
        202607131000
        20260713
        2026-W29-1
        2026-194
        2026-W29
        26-07-13
        2026-7-3 9:5:2
        2026-07-13T10:00:00 +02:00
        2026-07-13T10:00:00 Z
        2026-07-13T10:00:00,5Z
        2026-07-13T24:00:00Z
        2026-07-13T10:00:00+0300Z
        2026-07-13T10:00:00+3:00
        2026-07-13T10:00:00UTC
        2026-07-13T10
        2026-07-13 10:00:00.0
        2026-07-13 10:00:00 Europe/Berlin
        2026-07-13T10:00:00-07:00[America/Los_Angeles]
        0000-00-00 00:00:00
        2026-07-13T10:00:00&#x2B;02:00
        2026-13-07",
        &expect![[r#"
            2026-07-15T08:00:00Z Exact <- 1784102400
            2026-07-15T08:00:00Z Exact <- 1784102400000
            2026-07-13T10:00:00Z Exact <- 2026-07-13T10:00:00Z
            2026-07-13T07:00:00Z Exact <- 2026-07-13T10:00:00+03:00
            2026-07-13T07:00:00.123456789Z Exact <- 2026-07-13T10:00:00.123456789+03:00
            2026-07-13T10:00:00Z AssumedZone <- 2026-07-13 10:00:00
            2026-07-13T07:00:00Z Exact <- 2026-07-13 10:00:00 +0300
            2026-07-13T10:00:00Z Exact <- 2026-07-13T10:00Z
            2026-07-13T10:00:00Z AssumedZone <- 2026-07-13T10:00
            2026-07-13T00:00:00Z DateOnly <- 2026-07-13
            2026-07-01T00:00:00Z Guessed <- 2026-07
            2026-01-01T00:00:00Z Guessed <- 2026
            2026-07-13T10:00:00Z AssumedZone <- 2026/07/13 10:00:00
            2026-07-13T10:00:00Z AssumedZone <- 2026.07.13 10:00
            2026-07-13T10:00:00Z Exact <- 20260713T100000Z
            2026-07-13T10:00:00Z AssumedZone <- 20260713100000
            2026-07-13T10:00:00Z AssumedZone <- 202607131000
            2026-07-13T00:00:00Z DateOnly <- 20260713
            2026-07-13T00:00:00Z DateOnly <- 2026-W29-1
            2026-07-13T00:00:00Z DateOnly <- 2026-194
            2026-07-13T00:00:00Z DateOnly <- 2026-W29
            2026-07-13T00:00:00Z Guessed <- 26-07-13
            2026-07-03T09:05:02Z AssumedZone <- 2026-7-3 9:5:2
            2026-07-13T08:00:00Z Exact <- 2026-07-13T10:00:00 +02:00
            2026-07-13T10:00:00Z Exact <- 2026-07-13T10:00:00 Z
            2026-07-13T10:00:00.5Z Exact <- 2026-07-13T10:00:00,5Z
            2026-07-14T00:00:00Z Exact <- 2026-07-13T24:00:00Z
            2026-07-13T07:00:00Z Exact <- 2026-07-13T10:00:00+0300Z
            2026-07-13T07:00:00Z Exact <- 2026-07-13T10:00:00+3:00
            2026-07-13T10:00:00Z Exact <- 2026-07-13T10:00:00UTC
            2026-07-13T10:00:00Z AssumedZone <- 2026-07-13T10
            2026-07-13T10:00:00Z AssumedZone <- 2026-07-13 10:00:00.0
            2026-07-13T08:00:00Z Exact <- 2026-07-13 10:00:00 Europe/Berlin
            2026-07-13T17:00:00Z Exact <- 2026-07-13T10:00:00-07:00[America/Los_Angeles]
            none <- 0000-00-00 00:00:00
            2026-07-13T10:00:00Z AssumedZone <- 2026-07-13T10:00:00&#x2B;02:00
            2026-07-13T00:00:00Z Guessed <- 2026-13-07
        "#]],
    );
}

#[test]
fn day_first_and_month_first() {
    check(
        "13.07.2026 10:00
        13.07.2026, 10:00 Uhr
        13.07.26 10:00
        13/07/2026 10:00
        07/13/2026 10:00:00 AM
        7/13/2026 3:05 PM
        07/03/2026
        July 13, 2026
        July 13, 2026 10:00 am EST
        Jul 13, 2026, 10:00 PM
        Monday, July 13, 2026 - 10:00
        Published on Monday, July 13th, 2026 at 10:00 a.m. EDT
        Jul 2026
        13-Jul-2026
        13/Jul/2026:10:00:00 +0200
        10:00 13.07.2026
        10:00, 13 июля 2026
        Sept 3, 2026
        3 Sept. 2026 10:00 GMT
        13.7.2026
        13. 7. 2026 10.00",
        &expect![[r#"
            2026-07-13T10:00:00Z AssumedZone <- 13.07.2026 10:00
            2026-07-13T10:00:00Z AssumedZone <- 13.07.2026, 10:00 Uhr
            2026-07-13T10:00:00Z AssumedZone <- 13.07.26 10:00
            2026-07-13T10:00:00Z AssumedZone <- 13/07/2026 10:00
            2026-07-13T10:00:00Z AssumedZone <- 07/13/2026 10:00:00 AM
            2026-07-13T15:05:00Z AssumedZone <- 7/13/2026 3:05 PM
            2026-07-03T00:00:00Z Guessed <- 07/03/2026
            2026-07-13T00:00:00Z DateOnly <- July 13, 2026
            2026-07-13T15:00:00Z Exact <- July 13, 2026 10:00 am EST
            2026-07-13T22:00:00Z AssumedZone <- Jul 13, 2026, 10:00 PM
            2026-07-13T10:00:00Z AssumedZone <- Monday, July 13, 2026 - 10:00
            2026-07-13T14:00:00Z Exact <- Published on Monday, July 13th, 2026 at 10:00 a.m. EDT
            2026-07-01T00:00:00Z Guessed <- Jul 2026
            2026-07-13T00:00:00Z DateOnly <- 13-Jul-2026
            2026-07-13T08:00:00Z Exact <- 13/Jul/2026:10:00:00 +0200
            2026-07-13T10:00:00Z AssumedZone <- 10:00 13.07.2026
            2026-07-13T10:00:00Z AssumedZone <- 10:00, 13 июля 2026
            2026-09-03T00:00:00Z DateOnly <- Sept 3, 2026
            2026-09-03T10:00:00Z Exact <- 3 Sept. 2026 10:00 GMT
            2026-07-13T00:00:00Z DateOnly <- 13.7.2026
            2026-07-13T10:00:00Z AssumedZone <- 13. 7. 2026 10.00
        "#]],
    );
}

#[test]
fn cyrillic() {
    check(
        "13 июля 2026, 10:00
        13 июля 2026 г. 10:00 MSK
        Пн, 13 июл 2026 10:00:00 +0300
        понедельник, 13 июля 2026
        13 липня 2026, 10:00
        Пн, 13 лип 2026 10:00:00 EEST
        понеділок, 13 липня 2026 р. 10:00
        Ср, 04 бер 2026 10:00:00 +0200
        середа, 4 березня 2026
        5 травня 2026
        6 черв. 2026
        10:00, 13 июля 2026
        13 Июл 2026 - 10:00
        13 сер 2026",
        &expect![[r#"
            2026-07-13T10:00:00Z AssumedZone <- 13 июля 2026, 10:00
            2026-07-13T07:00:00Z Exact <- 13 июля 2026 г. 10:00 MSK
            2026-07-13T07:00:00Z Exact <- Пн, 13 июл 2026 10:00:00 +0300
            2026-07-13T00:00:00Z DateOnly <- понедельник, 13 июля 2026
            2026-07-13T10:00:00Z AssumedZone <- 13 липня 2026, 10:00
            2026-07-13T07:00:00Z Exact <- Пн, 13 лип 2026 10:00:00 EEST
            2026-07-13T10:00:00Z AssumedZone <- понеділок, 13 липня 2026 р. 10:00
            2026-03-04T08:00:00Z Exact <- Ср, 04 бер 2026 10:00:00 +0200
            2026-03-04T00:00:00Z DateOnly <- середа, 4 березня 2026
            2026-05-05T00:00:00Z DateOnly <- 5 травня 2026
            2026-06-06T00:00:00Z DateOnly <- 6 черв. 2026
            2026-07-13T10:00:00Z AssumedZone <- 10:00, 13 июля 2026
            2026-07-13T10:00:00Z AssumedZone <- 13 Июл 2026 - 10:00
            2026-08-13T00:00:00Z DateOnly <- 13 сер 2026
        "#]],
    );
}

#[test]
fn romance_and_germanic() {
    check(
        "Montag, 13. Juli 2026 um 10:00 Uhr
        Di, 03 Mär 2026 10:00:00 +0100
        3. März 2026
        Mi, 06 Mai 2026 10:00:00 MESZ
        Do, 03 Dez 2026 10:00:00 +0100
        lun., 13 juil. 2026 10:00:00 +0200
        lundi 13 juillet 2026 à 10h30
        mar., 03 févr. 2026 10:00:00 +0100
        jeu, 06 aoû 2026 10:00:00 +0200
        mardi 4 août 2026 10h
        13 décembre 2026
        13 de julio de 2026
        mar, 03 ene 2026 10:00:00 +0100
        4 de agosto de 2026 a las 10:00
        3 dic 2026
        lun, 13 lug 2026 10:00:00 +0200
        mer, 06 mag 2026 10:00:00 +0200
        13 gennaio 2026
        3 settembre 2026
        4 ott 2026
        martedì 14 luglio 2026
        pon, 13 lip 2026 10:00:00 +0200
        13 lipca 2026 10:00
        czw., 3 wrz 2026",
        &expect![[r#"
            2026-07-13T10:00:00Z AssumedZone <- Montag, 13. Juli 2026 um 10:00 Uhr
            2026-03-03T09:00:00Z Exact <- Di, 03 Mär 2026 10:00:00 +0100
            2026-03-03T00:00:00Z DateOnly <- 3. März 2026
            2026-05-06T08:00:00Z Exact <- Mi, 06 Mai 2026 10:00:00 MESZ
            2026-12-03T09:00:00Z Exact <- Do, 03 Dez 2026 10:00:00 +0100
            2026-07-13T08:00:00Z Exact <- lun., 13 juil. 2026 10:00:00 +0200
            2026-07-13T10:30:00Z AssumedZone <- lundi 13 juillet 2026 à 10h30
            2026-02-03T09:00:00Z Exact <- mar., 03 févr. 2026 10:00:00 +0100
            2026-08-06T08:00:00Z Exact <- jeu, 06 aoû 2026 10:00:00 +0200
            2026-08-04T10:00:00Z AssumedZone <- mardi 4 août 2026 10h
            2026-12-13T00:00:00Z DateOnly <- 13 décembre 2026
            2026-07-13T00:00:00Z DateOnly <- 13 de julio de 2026
            2026-01-03T09:00:00Z Exact <- mar, 03 ene 2026 10:00:00 +0100
            2026-08-04T10:00:00Z AssumedZone <- 4 de agosto de 2026 a las 10:00
            2026-12-03T00:00:00Z DateOnly <- 3 dic 2026
            2026-07-13T08:00:00Z Exact <- lun, 13 lug 2026 10:00:00 +0200
            2026-05-06T08:00:00Z Exact <- mer, 06 mag 2026 10:00:00 +0200
            2026-01-13T00:00:00Z DateOnly <- 13 gennaio 2026
            2026-09-03T00:00:00Z DateOnly <- 3 settembre 2026
            2026-10-04T00:00:00Z DateOnly <- 4 ott 2026
            2026-07-14T00:00:00Z DateOnly <- martedì 14 luglio 2026
            2026-07-13T08:00:00Z Exact <- pon, 13 lip 2026 10:00:00 +0200
            2026-07-13T10:00:00Z AssumedZone <- 13 lipca 2026 10:00
            2026-09-03T00:00:00Z DateOnly <- czw., 3 wrz 2026
        "#]],
    );
}

#[test]
fn other_languages() {
    check(
        "5 października 2026
        6 paź 2026
        3 sierpnia 2026
        seg, 13 jul 2026 10:00:00 -0300
        13 de julho de 2026 às 10h30
        4 set 2026
        5 out 2026
        6 de fevereiro de 2026
        3 dez 2026
        13 Temmuz 2026 10:00
        13 Ιουλίου 2026
        13. července 2026
        13. června 2026
        13 juli 2026
        13 iulie 2026
        2026年7月13日 10:00
        2026年07月13日 上午10:30
        2026년 7월 13일 오후 3:05
        2026-07-13 오전 10:05:00
        2026. júl. 13.
        ١٣ يوليو 2026
        13 lipnja 2026
        13 července 2026 9:00
        13 liepos 2026
        13 tháng 7, 2026",
        &expect![[r#"
            2026-10-05T00:00:00Z DateOnly <- 5 października 2026
            2026-10-06T00:00:00Z DateOnly <- 6 paź 2026
            2026-08-03T00:00:00Z DateOnly <- 3 sierpnia 2026
            2026-07-13T13:00:00Z Exact <- seg, 13 jul 2026 10:00:00 -0300
            2026-07-13T10:30:00Z AssumedZone <- 13 de julho de 2026 às 10h30
            2026-09-04T00:00:00Z DateOnly <- 4 set 2026
            2026-10-05T00:00:00Z DateOnly <- 5 out 2026
            2026-02-06T00:00:00Z DateOnly <- 6 de fevereiro de 2026
            2026-12-03T00:00:00Z DateOnly <- 3 dez 2026
            2026-07-13T10:00:00Z AssumedZone <- 13 Temmuz 2026 10:00
            2026-07-13T00:00:00Z DateOnly <- 13 Ιουλίου 2026
            2026-07-13T00:00:00Z DateOnly <- 13. července 2026
            2026-06-13T00:00:00Z DateOnly <- 13. června 2026
            2026-07-13T00:00:00Z DateOnly <- 13 juli 2026
            2026-07-13T00:00:00Z DateOnly <- 13 iulie 2026
            2026-07-13T10:00:00Z AssumedZone <- 2026年7月13日 10:00
            2026-07-13T10:30:00Z AssumedZone <- 2026年07月13日 上午10:30
            2026-07-13T15:05:00Z AssumedZone <- 2026년 7월 13일 오후 3:05
            2026-07-13T10:05:00Z AssumedZone <- 2026-07-13 오전 10:05:00
            2026-07-13T00:00:00Z DateOnly <- 2026. júl. 13.
            2026-07-13T00:00:00Z DateOnly <- ١٣ يوليو 2026
            2026-07-13T00:00:00Z DateOnly <- 13 lipnja 2026
            2026-07-13T09:00:00Z AssumedZone <- 13 července 2026 9:00
            2026-07-13T00:00:00Z DateOnly <- 13 liepos 2026
            2026-07-13T00:00:00Z DateOnly <- 13 tháng 7, 2026
        "#]],
    );
}

#[test]
fn zones() {
    check(
        "Mon, 13 Jul 2026 10:00:00 BST
        Mon, 13 Jul 2026 10:00:00 CST
        Mon, 13 Jul 2026 10:00:00 IST
        Mon, 13 Jul 2026 10:00:00 EET
        Mon, 13 Jul 2026 10:00:00 AKDT
        Mon, 13 Jul 2026 10:00:00 America/New_York
        Mon, 13 Jul 2026 10:00:00 -0000
        Mon, 13 Jul 2026 10:00:00 -5
        Mon, 13 Jul 2026 10:00:00 +3
        Mon, 13 Jul 2026 10:00:00 PM
        Mon, 13 Jul 2026 10:00:00 Uhr
        Mon, 13 Jul 2026 10:00:00 +0000 (UTC)",
        &expect![[r#"
            2026-07-13T09:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 BST
            2026-07-13T16:00:00Z Guessed <- Mon, 13 Jul 2026 10:00:00 CST
            2026-07-13T04:30:00Z Guessed <- Mon, 13 Jul 2026 10:00:00 IST
            2026-07-13T08:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 EET
            2026-07-13T18:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 AKDT
            2026-07-13T14:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 America/New_York
            2026-07-13T10:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 -0000
            2026-07-13T15:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 -5
            2026-07-13T07:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 +3
            2026-07-13T22:00:00Z AssumedZone <- Mon, 13 Jul 2026 10:00:00 PM
            2026-07-13T10:00:00Z AssumedZone <- Mon, 13 Jul 2026 10:00:00 Uhr
            2026-07-13T10:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 +0000 (UTC)
        "#]],
    );
}

#[test]
fn what_cannot_be() {
    check(
        "Mon, 13 Jul 2026 25:00:00 GMT
        Mon, 13 Jul 2026 10:60:00 GMT
        Mon, 32 Jul 2026 10:00:00 GMT
        Sun, 29 Feb 2026 10:00:00 GMT
        0000-00-00 00:00:00
        Thu, 01 Jan 1970 00:00:00 +0000
        -0001-11-30T00:00:00+00:00
        Mon, 13 Jul 126 10:00:00 GMT
        Mon, 13 Jul 2026 10.00.00 GMT
        Mon, 13 Jul 2026 10-00-00 GMT
        yesterday
        not a date
        12:30
        13 Jul
        13 red 2026",
        &expect![[r#"
            2026-07-13T00:00:00Z Guessed <- Mon, 13 Jul 2026 25:00:00 GMT
            2026-07-13T00:00:00Z Guessed <- Mon, 13 Jul 2026 10:60:00 GMT
            none <- Mon, 32 Jul 2026 10:00:00 GMT
            2026-02-28T10:00:00Z Guessed <- Sun, 29 Feb 2026 10:00:00 GMT
            none <- 0000-00-00 00:00:00
            none <- Thu, 01 Jan 1970 00:00:00 +0000
            none <- -0001-11-30T00:00:00+00:00
            2026-07-13T10:00:00Z Exact <- Mon, 13 Jul 126 10:00:00 GMT
            2026-07-13T10:00:00Z Exact <- Mon, 13 Jul 2026 10.00.00 GMT
            2026-07-13T00:00:00Z DateOnly <- Mon, 13 Jul 2026 10-00-00 GMT
            none <- yesterday
            none <- not a date
            none <- 12:30
            none <- 13 Jul
            none <- 13 red 2026
        "#]],
    );
}

#[test]
fn epochs_are_seconds_milliseconds_and_microseconds() {
    for text in ["1783936800", "1783936800.25", "1783936800000", "1783936800000000"] {
        let date = parse_date(text).map(|date| date.at.as_second());
        assert_eq!(date, Some(1_783_936_800), "{text}");
    }
}

#[test]
fn long_text_is_no_date() {
    assert_eq!(
        parse_date(&format!("13 Jul 2026{}", " ".repeat(5) + &"x".repeat(200))),
        None
    );
}
