/* One case: time passes, calls are answered, steps are taken, until nothing happens any more. */
#include "cli/test/play_case.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "stage/play.h"

#include <stdlib.h>

enum { MOMENTS_MAX = 1'000'000 };

#define BEAT_US (INT64_C(1'800) * 1'000'000)                /* half of what a lease lasts */
#define LONG_US (INT64_C(10) * 366 * 24 * 3600 * 1'000'000) /* a run that takes longer is stuck */

/* A call that takes its time, or is never answered. */
struct pending {
    struct play_job job; /* owned */
    const struct answer *answer;
    int64_t due_us; /* INT64_MAX: never */
    bool is_gone;
};

struct player {
    const struct scenery *scenery;
    const struct test_case *test;
    struct outcome *outcome;
    struct play *play;
    int64_t start_us, beaten_us;
    struct pending *pending; /* owned */
    size_t pending_count, pending_capacity;
    uint32_t *used; /* of the answers: this case's, then the file's; owned */
    size_t next_step;
    bool has_failed; /* it makes no sense to go on */
};

static void stop(struct player *player, const char *pointer, const char *what,
                 const struct error *error)
{
    outcome_fail(player->outcome, pointer, "%s%s", what, error->text);
    player->has_failed = true;
}

/* --- answers ------------------------------------------------------------------------------------
 */

static const struct stand_in *find_stand_in(const struct stand_ins *list, const char *function,
                                            size_t *index)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].function, function) == 0) return &list->items[i];
        *index += list->items[i].count;
    }
    return NULL;
}

static bool fits(const struct answer *answer, const struct play_job *job)
{
    return json_is(answer->when, JSON_INVALID) || json_has(job->input, answer->when);
}

/* Each answers once, or `times` often; the last one that fits goes on to. */
static const struct answer *choose(struct player *player, const struct stand_in *stand_in,
                                   size_t first, const struct play_job *job)
{
    const struct answer *last = NULL;
    for (size_t i = 0; i < stand_in->count; i++) {
        const struct answer *answer = &stand_in->answers[i];
        uint32_t times              = answer->times > 0 ? answer->times : 1;
        if (!fits(answer, job)) continue;
        last = answer;
        if (player->used[first + i] >= times) continue;
        player->used[first + i]++;
        return answer;
    }
    return last && last->times == 0 ? last : NULL;
}

static const struct answer *answer_of(struct player *player, const struct play_job *job)
{
    size_t index                    = 0;
    const struct stand_ins *own     = &player->test->stand_ins;
    const struct stand_ins *shared  = &player->scenery->file->stand_ins;
    const struct stand_in *stand_in = find_stand_in(own, job->function, &index);
    if (!stand_in) stand_in = find_stand_in(shared, job->function, &index);
    return stand_in ? choose(player, stand_in, index, job) : NULL;
}

static json error_new_of(json said)
{
    json object    = json_ref(said);
    int64_t number = 500;
    (void)json_to_int(json_get_text(said, "status"), &number);
    if (json_is(json_get_text(said, "type"), JSON_INVALID)) {
        json_object_put_text(
            &object, "type",
            json_text_from("https://serverlessworkflow.io/spec/1.0.0/errors/communication"));
    }
    json_object_put_text(&object, "status", json_int(number));
    return object;
}

/* As HTTP knows it: what may be better later. */
static bool is_transient(const struct answer *answer)
{
    int64_t number = 500;
    if (answer->retryable != RETRYABLE_BY_STATUS) return answer->retryable == RETRYABLE_YES;
    (void)json_to_int(json_get_text(answer->value, "status"), &number);
    return number == 408 || number == 429 || number >= 500;
}

static void give(struct player *player, const struct play_job *job, const struct answer *answer)
{
    struct error error = {};
    status given       = STATUS_OK;
    if (answer->kind == ANSWER_ERROR) {
        CLEANUP(json_unrefp) json failure = error_new_of(answer->value);
        given = play_fail(player->play, job, failure, is_transient(answer), &error);
    } else {
        json output = answer->kind == ANSWER_ECHO ? job->input : answer->value;
        given       = play_complete(player->play, job, output, answer->undo, &error);
    }
    /* FAILED_PRECONDITION: it came too late, as answers do. */
    if (given != STATUS_OK && given != STATUS_FAILED_PRECONDITION) {
        stop(player, answer->pointer, "the engine refuses the answer: ", &error);
    }
}

static void hold(struct player *player, struct play_job *job, const struct answer *answer)
{
    if (player->pending_count == player->pending_capacity) {
        player->pending_capacity = player->pending_capacity ? 2 * player->pending_capacity : 16;
        player->pending =
            mem_resize(player->pending, player->pending_capacity, sizeof *player->pending);
    }
    bool is_never                            = answer->kind == ANSWER_NEVER;
    player->pending[player->pending_count++] = (struct pending){
        .job    = *job,
        .answer = answer,
        .due_us = is_never ? INT64_MAX : play_now_us(player->play) + answer->takes_us,
    };
    *job = (struct play_job){};
}

static void no_answer(struct player *player, const struct play_job *job)
{
    CLEANUP(buf_done) struct buf text = buf_init(SHOWN_MAX * 2);
    value_put(&text, job->input);
    outcome_fail(player->outcome, player->test->pointer,
                 "%s calls %s, and no answer is left for it; its arguments are %s", job->task,
                 job->function, text.ptr);
    player->has_failed = true;
}

/* Takes all jobs that are ready; true if there was one. */
static bool answer_jobs(struct player *player)
{
    bool has_any = false;
    for (bool has = true; has && !player->has_failed;) {
        struct play_job job = {};
        struct error error  = {};
        if (play_take(player->play, &job, &has, &error) != STATUS_OK) {
            stop(player, player->test->pointer, "", &error);
        } else if (has) {
            has_any                     = true;
            const struct answer *answer = answer_of(player, &job);
            outcome_call(player->outcome, job.function, job.task, job.input, job.is_undo);
            if (!answer) {
                no_answer(player, &job);
            } else if (answer->kind == ANSWER_NEVER || answer->takes_us > 0) {
                hold(player, &job, answer);
            } else {
                give(player, &job, answer);
            }
        }
        play_job_done(&job);
    }
    return has_any;
}

/* --- steps --------------------------------------------------------------------------------------
 */

static void take_step(struct player *player, const struct step *step)
{
    struct error error                  = {};
    status taken                        = STATUS_OK;
    const struct play_decision decision = {.task        = step->task,
                                           .by          = step->by,
                                           .comment     = step->comment,
                                           .is_approved = step->kind == STEP_APPROVE,
                                           .data        = step->data};
    switch (step->kind) {
    case STEP_SIGNAL: taken = play_signal(player->play, step->name, step->data, &error); break;
    case STEP_PUBLISH: taken = play_publish(player->play, step->data, &error); break;
    case STEP_APPROVE:
    case STEP_REJECT: taken = play_decide(player->play, &decision, &error); break;
    case STEP_CONTROL: taken = play_control(player->play, step->name, &error); break;
    }
    if (taken != STATUS_OK) stop(player, step->pointer, "this could not be done: ", &error);
}

static int64_t step_due_us(const struct player *player)
{
    if (player->next_step == player->test->step_count) return INT64_MAX;
    return player->start_us + player->test->steps[player->next_step].after_us;
}

/* --- time ---------------------------------------------------------------------------------------
 */

/* The pending call that is answered next; NULL: none will be. */
static struct pending *next_pending(struct player *player)
{
    struct pending *first = NULL;
    for (size_t i = 0; i < player->pending_count; i++) {
        struct pending *pending = &player->pending[i];
        if (pending->is_gone || pending->due_us == INT64_MAX) continue;
        if (!first || pending->due_us < first->due_us) first = pending;
    }
    return first;
}

/* Who works at something for long says so, or its lease would be over. */
static bool beat_all(struct player *player)
{
    bool is_any       = false;
    player->beaten_us = play_now_us(player->play);
    for (size_t i = 0; i < player->pending_count; i++) {
        struct pending *pending = &player->pending[i];
        if (pending->is_gone) continue;
        pending->is_gone = play_beat(player->play, &pending->job, NULL) != STATUS_OK;
        is_any |= !pending->is_gone;
    }
    return is_any;
}

/* What can be done at this moment; true if there was something. */
static bool act(struct player *player)
{
    struct pending *pending = next_pending(player);
    int64_t now_us          = play_now_us(player->play);
    if (answer_jobs(player)) return true;
    if (pending && pending->due_us <= now_us) {
        pending->is_gone = true;
        give(player, &pending->job, pending->answer);
        return true;
    }
    if (step_due_us(player) > now_us) return false;
    take_step(player, &player->test->steps[player->next_step++]);
    return true;
}

/* Lets time pass until something can happen; false: nothing will. */
static bool pass(struct player *player)
{
    int64_t now_us                = play_now_us(player->play);
    int64_t wait_us               = play_wait_us(player->play);
    const struct pending *pending = next_pending(player);
    int64_t until_us              = wait_us == INT64_MAX ? INT64_MAX : now_us + wait_us;
    if (pending && pending->due_us < until_us) until_us = pending->due_us;
    if (step_due_us(player) < until_us) until_us = step_due_us(player);
    if (until_us == INT64_MAX || until_us - player->start_us > LONG_US) return false;
    if (until_us > player->beaten_us + BEAT_US) {
        bool has_open = beat_all(player);
        if (has_open && until_us > now_us + BEAT_US) until_us = now_us + BEAT_US;
    }
    struct error error = {};
    if (play_pass(player->play, until_us - now_us, &error) == STATUS_OK) return true;
    stop(player, player->test->pointer, "", &error);
    return false;
}

static bool is_final(struct player *player)
{
    struct play_view view = {};
    if (play_view(player->play, &view, NULL) != STATUS_OK) return true;
    bool is_over = view.is_final;
    play_view_done(&view);
    return is_over;
}

static void let_happen(struct player *player)
{
    for (size_t i = 0; i < MOMENTS_MAX && !player->has_failed; i++) {
        while (!player->has_failed && act(player)) {
        }
        if (is_final(player) || player->has_failed || !pass(player)) break;
    }
    for (size_t i = player->next_step; !player->has_failed && i < player->test->step_count; i++) {
        outcome_fail(player->outcome, player->test->steps[i].pointer,
                     "the run was over before this could happen");
    }
}

/* --- all ----------------------------------------------------------------------------------------
 */

static status set_up(struct player *player, struct error *reterr)
{
    const struct scenery *scenery     = player->scenery;
    const struct case_file *file      = scenery->file;
    const struct play_options options = {.now_us = player->test->now_us, .secrets = file->secrets};
    TRY(play_open(&options, &player->play, reterr));
    for (size_t i = 0; i < scenery->other_count; i++) {
        TRY(play_put(player->play, scenery->others[i], reterr));
    }
    TRY(play_put(player->play, scenery->workflow, reterr));
    size_t count = json_is(file->assistants, JSON_OBJECT) ? json_count(file->assistants) : 0;
    for (size_t i = 0; i < count; i++) {
        CLEANUP(buf_done) struct buf name = buf_init(1 << 10);
        (void)buf_put_str(&name, json_key_at(file->assistants, i));
        TRY(play_put_assistant(player->play, scenery->workflow->namespace_, name.ptr,
                               json_value_at(file->assistants, i), reterr));
    }
    player->start_us = player->beaten_us = play_now_us(player->play);
    return play_start(player->play, scenery->workflow, player->test->input, reterr);
}

static size_t count_answers(const struct stand_ins *list)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) count += list->items[i].count;
    return count;
}

static void finish(struct player *player)
{
    struct play_view view = {};
    struct error error    = {};
    if (play_view(player->play, &view, &error) != STATUS_OK) {
        stop(player, player->test->pointer, "", &error);
        return;
    }
    player->outcome->virtual_us = view.took_us;
    if (!player->has_failed) case_expect(player->test, &view, player->outcome);
    play_view_done(&view);
}

/* The input was refused before there was a run: which can be what is expected. */
static void refused(struct player *player, const struct error *error)
{
    json wanted = player->test->expected.error;
    json code   = json_get_text(wanted, "code");
    bool is_it  = error->code && json_is(code, JSON_TEXT) && str_is(json_str(code), error->code);
    if (!is_it) outcome_fail(player->outcome, player->test->pointer, "%s", error->text);
}

void case_play(const struct scenery *scenery, const struct test_case *test, struct outcome *outcome)
{
    int64_t begun_us   = clock_mono_us();
    struct error error = {};
    size_t answers     = count_answers(&test->stand_ins) + count_answers(&scenery->file->stand_ins);
    struct player player = {.scenery = scenery,
                            .test    = test,
                            .outcome = outcome,
                            .used    = mem_new(answers + 1, sizeof *player.used)};
    outcome->test        = test;
    if (set_up(&player, &error) == STATUS_OK) {
        let_happen(&player);
        finish(&player);
    } else {
        refused(&player, &error);
    }
    for (size_t i = 0; i < player.pending_count; i++) play_job_done(&player.pending[i].job);
    free(player.pending);
    free(player.used);
    play_close(player.play);
    outcome->real_us = clock_mono_us() - begun_us;
}
