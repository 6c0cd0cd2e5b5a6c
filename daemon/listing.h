/* What there is to choose from: the registries of algorithms and of simulated worlds, as data. */
#pragma once

#include <stdbool.h>

/* "algorithms" and "worlds" can be listed. */
bool listing_knows(const char *what);

/*
 * One of the two to standard output, as one JSON object or for people: name, source, keys with
 * their defaults ("switches"); an algorithm's kinds of action and what its batches hold under these
 * defaults; a world's robot files, of those that came with this program.
 */
void listing_print(const char *what, bool json);
