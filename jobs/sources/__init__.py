"""Every feed that can be taken in: one file an adapter, one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.sources.catalogue import CATALOGUE
from jobs.sources.eventsim import EVENTSIM
from jobs.sources.lastfm import LASTFM
from jobs.sources.listenbrainz import LISTENBRAINZ
from jobs.sources.native import NATIVE
from jobs.sources.spotify import SPOTIFY

if TYPE_CHECKING:
    from jobs.sources.source import Source

SOURCES: dict[str, Source] = {source.name: source for source in (NATIVE, EVENTSIM, LISTENBRAINZ, LASTFM, SPOTIFY, CATALOGUE)}
