"""Segments by rule: one line a segment. Thresholds live here and nowhere else."""

from __future__ import annotations

from jobs.features.taste import GENRES, SLUGS
from jobs.segments.segment import Segment

ACTIVE = "active_days_28d >= 4"
COMMUTING = "morning_share_28d + evening_share_28d >= 0.5 AND weekend_share_28d <= 0.3"

RULES: tuple[Segment, ...] = (
    Segment("active", ACTIVE, "played on at least 4 of the last 28 days"),
    Segment("heavy_listeners", "hours_28d >= 20", "20 hours or more in 28 days"),
    Segment("light_listeners", "hours_28d > 0 AND hours_28d < 5", "some, but under 5 hours in 28 days"),
    Segment("new_or_returning", "plays_28d > 0 AND plays_90d = plays_28d", "all plays of 90 days lie in the last 28"),
    Segment("lapsing", "plays_7d = 0 AND plays_28d >= 10", "10 plays or more in 28 days, none in the last 7"),
    Segment("cooling", "plays_7d > 0 AND play_momentum_28d <= -0.7", "plays in the last 7 days at most half of a usual week, but some"),
    Segment("warming_up", "play_momentum_28d >= 0.5", "plays in the last 7 days well above a usual week"),
    Segment("paid_plan", "paid_share_28d >= 0.95", "practically all plays on a paid plan"),
    Segment("free_plan", "paid_share_28d <= 0.05", "practically all plays on the free plan"),
    Segment("recently_upgraded", "paid_change_90d >= 0.5", "on a paid plan now, mostly not in the 90 days"),
    Segment("recently_downgraded", "paid_change_90d <= -0.5", "off the paid plan now, mostly on it in the 90 days"),
    Segment("early_birds", f"{ACTIVE} AND morning_share_28d >= 0.4", "4 plays of 10 from 6:00 to 9:59"),
    Segment("midday_listeners", f"{ACTIVE} AND midday_share_28d >= 0.5", "half of all plays from 10:00 to 15:59"),
    Segment("evening_listeners", f"{ACTIVE} AND evening_share_28d >= 0.4", "4 plays of 10 from 16:00 to 19:59"),
    Segment("creatures_of_habit", f"{ACTIVE} AND hour_focus_28d >= 0.7", "plays keep to one time of day"),
    Segment("all_day_listeners", f"{ACTIVE} AND hour_entropy_28d >= 4", "plays spread over the hours as evenly as over 16 of them"),
    Segment("commuters", f"{ACTIVE} AND {COMMUTING}", "mornings and early evenings of working days"),
    Segment("night_owls", f"{ACTIVE} AND night_share_28d + late_share_28d >= 0.5", "half of all plays between 20:00 and 6:00"),
    Segment("weekend_listeners", f"{ACTIVE} AND weekend_share_28d >= 0.5", "half of all plays at the weekend"),
    Segment("drivers", f"{ACTIVE} AND car_share_28d >= 0.2", "a fifth of all plays in the car"),
    Segment("smart_speaker_homes", f"{ACTIVE} AND speaker_share_28d >= 0.2", "a fifth of all plays on a speaker"),
    Segment("podcast_fans", f"{ACTIVE} AND episode_share_28d >= 0.2", "a fifth of all plays are episodes"),
    Segment("active_choosers", f"{ACTIVE} AND intent_share_28d >= 0.5", "half of all plays asked for by name"),
    Segment("lean_back", f"{ACTIVE} AND intent_share_28d <= 0.2", "mostly radio, editorial and autoplay"),
    Segment("high_energy", f"{ACTIVE} AND mean_energy_28d >= 0.7", "tracks of high energy"),
    Segment("upbeat", f"{ACTIVE} AND mean_valence_28d >= 0.65", "tracks that sound cheerful"),
    Segment("dancers", f"{ACTIVE} AND mean_danceability_28d >= 0.7", "tracks made to dance to"),
    Segment("mellow", f"{ACTIVE} AND mean_acousticness_28d >= 0.5", "acoustic, quiet tracks"),
    Segment("specialists", f"{ACTIVE} AND gs_score_90d >= gs_by_chance_90d + 0.2", "moods of plays far more alike than chance makes them"),
    Segment("generalists", f"{ACTIVE} AND gs_score_90d <= gs_by_chance_90d", "moods of plays as different as everybody's"),
    Segment("mainstream_listeners", f"{ACTIVE} AND mainstream_90d >= 0.9", "genres as everybody's"),
    Segment("niche_listeners", f"{ACTIVE} AND mainstream_90d <= 0.6", "genres far from everybody's"),
    Segment("repeaters", f"{ACTIVE} AND repeat_share_28d >= 0.5", "half of all plays are of tracks played before"),
    Segment("playlist_makers", "playlist_adds_28d >= 3", "3 tracks or more added to playlists in 28 days"),
    Segment("impatient", f"{ACTIVE} AND skip_rate_28d >= 0.4", "skips 4 plays of 10"),
    *(Segment(f"{SLUGS[g]}_listeners", f"{ACTIVE} AND share_{SLUGS[g]}_28d >= 0.3", f"{g} is 3 plays of 10 or more") for g in GENRES),
)
