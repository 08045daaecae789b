#!/usr/bin/env python3
"""Makes what the tests of opening hours are judged by: clock.txt and calendar.txt, with the time
zones (zones/) and the calendar (calendar.ics) that they were told by.

It asks other implementations than ours: zoneinfo for the clock, icalendar and
recurring-ical-events for calendars.  The tests read the files only; to make them anew:

    python3 -m venv venv && venv/bin/pip install icalendar==7.3.2 recurring-ical-events==3.8.2
    venv/bin/python tests/hours/make.py
"""
import datetime as dt
import pathlib
import random
import shutil
import zoneinfo

import icalendar
import recurring_ical_events

HERE = pathlib.Path(__file__).parent
UTC = dt.timezone.utc
MINUTE = dt.timedelta(minutes=1)

# Zone, and the years whose changes of the clock count. Where there are none from 2024 on, the last
# ones there were.
ZONES = {
    "Europe/London": (2024, 2030),
    "America/New_York": (2024, 2030),
    "America/St_Johns": (2024, 2030),
    "America/Sao_Paulo": (2017, 2030),    # at midnight
    "Australia/Lord_Howe": (2024, 2030),  # by half an hour
    "Africa/Casablanca": (2024, 2030),    # back in Ramadan
    "Asia/Kathmandu": (1985, 2030),       # 15 minutes, once
    "Pacific/Apia": (2010, 2030),         # without 30 December 2011
    "Pacific/Chatham": (2024, 2030),      # 45 minutes off
    "Asia/Tehran": (2020, 2030),          # at midnight
    "Africa/Cairo": (2024, 2030),         # at midnight
    "Antarctica/Troll": (2024, 2030),     # by two hours
}
# Whose rules no government is likely to change: a TZID of a calendar is looked up in the program's
# own tz database, which may be newer than that of zones/.
STEADY = [
    "Europe/London", "America/New_York", "America/St_Johns", "Australia/Lord_Howe",
    "Asia/Kathmandu", "Pacific/Chatham",
]
SPANS = [
    "00:00-24:00",
    "01:30-02:30, 03:00-03:10",
    "00:00-00:30, 23:15-24:00",
    "08:00-12:00, 13:00-17:30",
    "holiday",  # all day, but for the day of the change
]


def instants(first, last, step):
    at = dt.datetime(first, 1, 1, tzinfo=UTC)
    while at.year <= last:
        yield at
        at += step


def changes(zone, first, last):
    """The first minutes with another offset than the minute before."""
    before = None
    for at in instants(first, last, dt.timedelta(hours=6)):
        offset = at.astimezone(zone).utcoffset()
        if before is not None and offset != before[1]:
            low, high = before[0], at
            while high - low > MINUTE:
                middle = low + (high - low) // 2 // MINUTE * MINUTE
                same = middle.astimezone(zone).utcoffset() == before[1]
                low, high = (middle, high) if same else (low, middle)
            yield high
        before = (at, offset)


def is_open(spans, zone, at, holiday):
    local = at.astimezone(zone)
    if spans == "holiday":
        return local.date() != holiday
    clock = f"{local.hour:02}:{local.minute:02}"
    return any(begin <= clock < end for begin, end in (s.strip().split("-") for s in spans.split(",")))


def clock():
    """For each change and each set of spans: the stretches of minutes, counted from the change, in
    which it is open, from 26 hours before to 26 hours after."""
    lines = []
    for name, (first, last) in ZONES.items():
        zone = zoneinfo.ZoneInfo(name)
        for change in changes(zone, first, last):
            holiday = change.astimezone(zone).date()
            for spans in SPANS:
                minutes = range(-26 * 60, 26 * 60 + 1)
                opens = [m for m in minutes if is_open(spans, zone, change + m * MINUTE, holiday)]
                stretches = []
                for minute in opens:
                    if stretches and stretches[-1][1] == minute:
                        stretches[-1][1] += 1
                    else:
                        stretches.append([minute, minute + 1])
                told = " ".join(f"{a}..{b}" for a, b in stretches)
                stamp = change.strftime("%Y-%m-%dT%H:%MZ")
                day = f" {holiday}" if spans == "holiday" else ""
                lines.append(f"{name} {stamp} | {spans}{day} | {told}")
    return lines


def random_rule(dice):
    every = dice.choice(["YEARLY", "YEARLY", "MONTHLY", "WEEKLY", "DAILY"])
    parts = [f"FREQ={every}"]
    if dice.random() < 0.4:
        parts.append(f"INTERVAL={dice.randint(2, 5)}")
    days = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
    if dice.random() < 0.4:
        parts.append("BYMONTH=" + ",".join(map(str, sorted(dice.sample(range(1, 13), dice.randint(1, 4))))))
    if every != "WEEKLY" and dice.random() < 0.4:
        of = [d for d in range(-31, 32) if d]
        parts.append("BYMONTHDAY=" + ",".join(map(str, dice.sample(of, dice.randint(1, 8)))))
    if dice.random() < 0.5:
        chosen = dice.sample(days, dice.randint(1, 3))
        if every in ("YEARLY", "MONTHLY") and dice.random() < 0.6:
            most = 5 if every == "MONTHLY" or any(p.startswith("BYMONTH=") for p in parts) else 52
            of = [n for n in range(-most, most + 1) if n]
            chosen = [f"{dice.choice(of)}{day}" for day in chosen]
        parts.append("BYDAY=" + ",".join(chosen))
    if len(parts) > 2 and every != "DAILY" and dice.random() < 0.2:
        parts.append(f"BYSETPOS={dice.choice([1, 2, -1, -2])}")
    if dice.random() < 0.2:
        parts.append(f"WKST={dice.choice(days)}")
    return parts


def first_of(rule, day):
    """The first day of the rule from `day` on: an event that does not fit its rule means nothing
    that is defined (RFC 5545, 3.8.5.3)."""
    from dateutil.rrule import rrulestr

    # A period is counted from the event's first day, so that is looked for without an interval.
    bare = ";".join(p for p in rule if not p.startswith("INTERVAL"))
    start = dt.datetime.combine(day, dt.time())
    found = rrulestr(bare, dtstart=start).after(start - dt.timedelta(days=1))
    return found.date() if found and found.year < 2030 else None


def random_event(dice, number):
    day = dt.date(2019, 1, 1) + dt.timedelta(days=dice.randrange(365 * 8))
    rule = random_rule(dice) if dice.random() < 0.8 else None
    if rule:
        day = first_of(rule, day)
        if not day:
            return None
    lines = ["BEGIN:VEVENT", f"UID:random-{number}"]
    long = dice.choice([1, 1, 1, 2, 3])
    timed = dice.random() < 0.4
    if timed:
        zone = dice.choice(["", "Z"] + [f"TZID={name}" for name in STEADY])
        hour = dice.randint(4, 19)
        head, tail = (f";{zone}", "") if "=" in zone else ("", zone)
        clock = f"T{hour:02}{dice.choice(['00', '30'])}00"
        lines.append(f"DTSTART{head}:{day:%Y%m%d}{clock}{tail}")
        lines.append(f"DURATION:PT{dice.choice(['30M', '2H', '4H'])}")
        value = lambda d: f"{d:%Y%m%d}{clock}{tail}"
    else:
        head, tail = ";VALUE=DATE", ""
        lines.append(f"DTSTART{head}:{day:%Y%m%d}")
        lines.append(f"DTEND{head}:{day + dt.timedelta(days=long):%Y%m%d}")
        value = lambda d: f"{d:%Y%m%d}"
    if rule:
        end = dice.random()
        if end < 0.3:
            rule = rule + [f"COUNT={dice.randint(1, 40)}"]
        elif end < 0.6:
            until = day + dt.timedelta(days=dice.randrange(3000))
            # Of the kind of DTSTART: UTC where that has a zone.
            form = "%Y%m%d" + ("T235959" + ("Z" if timed and (head or tail) else "") if timed else "")
            rule = rule + ["UNTIL=" + until.strftime(form)]
        lines.append("RRULE:" + ";".join(rule))
        if dice.random() < 0.4:
            lines.append(f"EXDATE{head}:{value(day)}")
    if dice.random() < 0.2:
        more = [day + dt.timedelta(days=dice.randrange(1, 900)) for _ in range(2)]
        lines.append(f"RDATE{head}:" + ",".join(map(value, more)))
    return lines + ["END:VEVENT"]


def make_calendar():
    dice = random.Random(7)
    events = (random_event(dice, number) for number in range(200))
    written = [line for event in events if event for line in event]
    fixed = (HERE / "fixed.ics").read_text().splitlines()
    return "\r\n".join(fixed[:-1] + written + fixed[-1:]) + "\r\n"


def calendar(text):
    """For each event and zone: the days from 2024 to 2027 that it is on, as first and last of
    each stretch. Days without a time are the same everywhere."""
    lines = []
    whole = icalendar.Calendar.from_ical(text)
    uids = dict.fromkeys(str(event["UID"]) for event in whole.walk("VEVENT"))
    for uid in uids:
        one = icalendar.Calendar()
        for part in whole.subcomponents:
            if part.name == "VTIMEZONE" or str(part.get("UID")) == uid:
                one.add_component(part)
        # Asked once, for floating times too: those are put into each zone here.
        found = recurring_ical_events.of(one).between(dt.date(2023, 11, 1), dt.date(2028, 2, 1))
        found = [event for event in found if event.get("STATUS") != "CANCELLED"]
        timed = any(isinstance(event.start, dt.datetime) for event in found)
        for name in list(ZONES)[: None if timed else 1]:
            zone = zoneinfo.ZoneInfo(name)
            days = set()
            for event in found:
                begin, end = event.start, event.end
                if isinstance(begin, dt.datetime):
                    local = lambda t: (t.astimezone(zone) if t.tzinfo else t.replace(tzinfo=zone))
                    begin, end = local(begin), local(end)
                    last = max(begin, end - dt.timedelta(microseconds=1)).date()
                    begin = begin.date()
                else:
                    last = max(begin, end - dt.timedelta(days=1))
                while begin <= last:
                    days.add(begin)
                    begin += dt.timedelta(days=1)
            days = sorted(day for day in days if 2024 <= day.year <= 2027)
            stretches = []
            for day in days:
                if stretches and stretches[-1][1] + dt.timedelta(days=1) == day:
                    stretches[-1][1] = day
                else:
                    stretches.append([day, day])
            told = " ".join(f"{a:%Y%m%d}" if a == b else f"{a:%Y%m%d}-{b:%Y%m%d}" for a, b in stretches)
            lines.append(f"{uid} {name} {told}".rstrip())
    return lines


def main():
    for name in ZONES:
        of_system = next(p for p in map(pathlib.Path, zoneinfo.TZPATH) if (p / name).exists())
        kept = HERE / "zones" / name
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile((of_system / name).resolve(), kept)
    zoneinfo.reset_tzpath([(HERE / "zones").resolve()])
    zoneinfo.ZoneInfo.clear_cache()
    (HERE / "clock.txt").write_text("\n".join(clock()) + "\n")
    text = make_calendar()
    (HERE / "calendar.ics").write_text(text, newline="")
    (HERE / "calendar.txt").write_text("\n".join(calendar(text)) + "\n")


if __name__ == "__main__":
    main()
