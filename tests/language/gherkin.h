/**
 * gherkin: a feature file as scenarios that are ready to be played.
 *
 * Read are Feature, Background, Scenario (Example), Scenario Outline (Scenario Template) with
 * Examples (Scenarios), Given, When, Then, And, But and *, doc strings (""" or ```, with their
 * indentation taken off), data tables, tags and comments. Backgrounds are put in front of every
 * scenario, an outline becomes a scenario per row of its examples, and And, But and * become the
 * keyword before them, so whoever plays a feature sees steps and nothing else.
 *
 * What it does not read: Rule, and keywords in other languages than English; it says so.
 */
#ifndef LANGUAGE_GHERKIN_H
#define LANGUAGE_GHERKIN_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    GHERKIN_SIZE_MAX      = 1 << 20, /* bytes of a file */
    GHERKIN_SCENARIOS_MAX = 500,     /* of a file, rows of outlines included */
    GHERKIN_STEPS_MAX     = 100,     /* of a scenario with its background */
    GHERKIN_TAGS_MAX      = 16,      /* of a scenario with those of the feature */
    GHERKIN_ROWS_MAX      = 200,     /* of a table */
    GHERKIN_CELLS_MAX     = 20,      /* of a row */
    GHERKIN_ARENA_MAX     = 64 << 20,
};

struct gherkin_row {
    const char *cells[GHERKIN_CELLS_MAX];
    size_t count;
    uint32_t line;
};

struct gherkin_table {
    struct gherkin_row *rows;
    size_t count;
};

enum gherkin_kind { GHERKIN_GIVEN, GHERKIN_WHEN, GHERKIN_THEN };

struct gherkin_step {
    enum gherkin_kind kind;
    const char *text; /* without its keyword */
    const char *doc;  /* doc string; NULL: none */
    struct gherkin_table table;
    uint32_t line; /* from 1 */
};

struct gherkin_scenario {
    const char *name;
    const char *tags[GHERKIN_TAGS_MAX]; /* with their @ */
    size_t tag_count;
    struct gherkin_step *steps;
    size_t step_count;
    uint32_t line;
};

struct gherkin_feature {
    const char *name;
    struct gherkin_scenario *scenarios;
    size_t scenario_count;
};

/** Reads a file. Everything lives as long as `arena`. INVALID_ARGUMENT ("line 7: ..."): it is no
 * feature; RESOURCE_EXHAUSTED: it is past a limit above. */
status gherkin_read(str text, struct arena *arena, struct gherkin_feature *ret_feature,
                    struct error *reterr);

bool gherkin_has_tag(const struct gherkin_scenario *scenario, const char *tag);

#endif
