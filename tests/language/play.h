/**
 * play: one scenario in one back-end.
 *
 * A step is found by its text in the table of steps.c, and done by a function that returns true,
 * or says with play_fail() what it expected and what it got.
 */
#ifndef LANGUAGE_PLAY_H
#define LANGUAGE_PLAY_H

#include "base/arena.h"
#include "language/backend.h"
#include "language/gherkin.h"
#include "language/pattern.h"

enum { PLAY_OTHERS_MAX = 8 };

struct play {
    struct backend *backend;
    struct script *script;
    struct arena *arena;                 /* of the scenario */
    json input;                          /* owned; {} if none is given */
    json extra;                          /* owned; what else the start request says */
    json findings;                       /* owned; of the last definition */
    json answer;                         /* owned; of the last request to the API */
    bool has_definition;                 /* the one that runs */
    const char *others[PLAY_OTHERS_MAX]; /* definitions that came before it, as in a background */
    size_t other_count;
    bool is_refused; /* the last definition, or the start */
    bool has_ended;  /* the end was waited for */
    struct error refusal;
    json functions;      /* owned; descriptions that the scenario gives, by name */
    const char *refused; /* "definition", "input", "command"; NULL: nothing */
    struct buf failure;
    bool is_hopeless; /* looking again will not help */
};

/** Plays all steps. False: `play->failure` says why, `*ret_line` where. */
bool play_scenario(struct play *play, const struct gherkin_scenario *scenario, uint32_t *ret_line);
void play_done(struct play *play);

/** Says why a step failed; always false. */
PRINTF_LIKE(2, 3) bool play_fail(struct play *play, const char *format, ...);

/** The same for a status of the back-end; true if it is OK. */
bool play_ok(struct play *play, status code, const struct error *error);

/** "expected X, got Y", in JSON; always false. */
bool play_differs(struct play *play, const char *what, json expected, json got);

/** Parses the doc string of a step as YAML. Owned; JSON_INVALID after play_fail(). */
json play_doc(struct play *play, const struct gherkin_step *step);

/** The text of a file of `folder`, in the scenario's arena; NULL after play_fail(). */
const char *play_text(struct play *play, const char *folder, str name);

/** The same as YAML. Owned; JSON_INVALID after play_fail(). */
json play_file(struct play *play, const char *folder, str name);

/** Waits for the end of the run; owned view of it. JSON_INVALID after play_fail(). */
json play_end(struct play *play);

/** The run as it is now. Owned; JSON_INVALID after play_fail(). */
json play_view(struct play *play);
json play_history(struct play *play);

/** Asks the API; `play->answer` is what it says. `body`: JSON_INVALID: none. */
bool play_request(struct play *play, str method, str path, json body);

/** The value at a dotted path ("a.b.0"); a view, JSON_INVALID if there is none. */
json value_at_path(json value, str path);

/* --- steps ------------------------------------------------------------------------------------ */

typedef bool step_fn(struct play *play, const struct gherkin_step *step, const struct match *match);

struct step_rule {
    const char *pattern;
    step_fn *run;
};

/** Ends with a NULL pattern; given, when, then. */
extern const struct step_rule given_steps[], when_steps[], then_steps[], history_steps[],
    outside_steps[], function_steps[];

/** Offers the functions of the scenario to the back-end, described or not. False after
 * play_fail(). */
bool play_offer(struct play *play, const struct gherkin_scenario *scenario);

#endif
