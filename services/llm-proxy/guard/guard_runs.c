/* The own budgets of runs that calls of clients are charged to: asked in the run's partition. What
 * such a call has cost goes there with all that is told of usage (guard_usage.c), which gives back
 * what was set aside. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "llm-proxy/guard/guard_internal.h"

#include <stdlib.h>
#include <string.h>

/* A question under way. */
struct run_question {
    struct guard_run *run; /* NULL: its call is over */
    struct id call, asked; /* `asked`: the run; "": it was named by its client's own id */
    bool is_more;
    struct run_question *next, *previous;
};

/* --- all of them -------------------------------------------------------------------------------
 */

static struct run_question *question_new(struct guard *guard, struct guard_run *run, bool is_more)
{
    struct run_question *question = mem_new(1, sizeof *question);
    *question      = (struct run_question){.run = run, .call = run->call, .is_more = is_more};
    question->next = guard->run_questions;
    if (question->next) question->next->previous = question;
    guard->run_questions = question;
    return question;
}

static void question_drop(struct guard *guard, struct run_question *question)
{
    if (question->next) question->next->previous = question->previous;
    if (question->previous) {
        question->previous->next = question->next;
    } else {
        guard->run_questions = question->next;
    }
    free(question);
}

void guard_runs_done(struct guard *guard)
{
    while (guard->run_questions) question_drop(guard, guard->run_questions);
}

/* --- answers -----------------------------------------------------------------------------------
 */

/* Owned. NULL: it cannot be read. */
static Pb__ReservedRun *copy_of(const Pb__ReservedRun *said)
{
    size_t size           = pb__reserved_run__get_packed_size(said);
    uint8_t *text         = mem_new(size + 1, 1);
    size_t packed         = pb__reserved_run__pack(said, text);
    Pb__ReservedRun *copy = pb__reserved_run__unpack(NULL, packed, text);
    free(text);
    return copy;
}

/* The call is over, and has used nothing: what was set aside comes back. `run`: an id. */
static void give_back(struct guard *guard, const struct run_question *question, const char *run)
{
    const Pb__Usage nothing        = PB__USAGE__INIT;
    const struct usage_owner owner = {
        .namespace_ = "", .key = "", .run = run, .call = question->call.text};
    guard_note_usage(guard, &owner, &nothing);
    guard_tell_usage(guard);
}

/* Whether its partition may have set something aside that nobody waits for. Without an answer that
 * is not known, and the call is not made. */
static bool is_left(const struct run_question *question, const struct rpc_answer *answer)
{
    const Pb__ReservedRun *said = answer->message;
    if (question->is_more) return false; /* the end of its call says it */
    switch (answer->code) {
    case STATUS_OK:
        return !question->run && said &&
               said->verdict == PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED;
    case STATUS_UNAVAILABLE:
    case STATUS_DEADLINE_EXCEEDED: return *question->asked.text != '\0';
    default: return false;
    }
}

/* While the scheduler is away clients ask again and again: no journal is to grow by that. */
static bool is_remembered(struct guard *guard, const Pb__ReservedRun *said)
{
    if (said) return true;
    if (guard->lost_run_count == GUARD_LOST_MAX) return false;
    guard->lost_run_count++;
    return true;
}

static enum guard_verdict verdict_of(const struct rpc_answer *answer,
                                     struct guard_refusal *ret_refusal)
{
    const Pb__ReservedRun *said = answer->message;
    *ret_refusal = (struct guard_refusal){.reason = str_from("the run cannot be asked now")};
    switch (answer->code) {
    case STATUS_OK: break;
    case STATUS_NOT_FOUND:
        *ret_refusal = (struct guard_refusal){.reason = str_from(answer->detail), .http = 404};
        return GUARD_RUN;
    case STATUS_FAILED_PRECONDITION:
        *ret_refusal = (struct guard_refusal){.reason = str_from(answer->detail), .http = 409};
        return GUARD_RUN;
    default: return GUARD_UNKNOWN;
    }
    if (!said) return GUARD_UNKNOWN;
    *ret_refusal =
        (struct guard_refusal){.reason = str_from(said->reason), .needs_price = said->needs_price};
    switch (said->verdict) {
    case PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED: return GUARD_GO;
    case PB__BUDGET_VERDICT__BUDGET_VERDICT_WAITING: return GUARD_LIMIT;
    default: return GUARD_BUDGET;
    }
}

static void on_asked(void *context, void *about, const struct rpc_answer *answer)
{
    struct guard *guard           = context;
    struct run_question *question = about;
    struct guard_run *run         = question->run;
    const Pb__ReservedRun *said   = answer->code == STATUS_OK ? answer->message : NULL;
    struct guard_refusal refusal  = {};
    if (is_left(question, answer) && is_remembered(guard, said)) {
        give_back(guard, question, said ? said->run : question->asked.text);
    }
    question_drop(guard, question);
    if (!run) return;
    enum guard_verdict verdict = verdict_of(answer, &refusal);
    run->question              = NULL;
    if (verdict == GUARD_GO) {
        run->output_tokens = said->output_tokens;
        if (!run->run) run->run = copy_of(said);
        if (!run->run) verdict = GUARD_UNKNOWN;
    }
    run->decided(verdict, &refusal, run->context);
}

/* --- questions ---------------------------------------------------------------------------------
 */

enum guard_verdict guard_ask_run(struct guard *guard, struct guard_run *run,
                                 const Pb__ReserveBudgets *asked, bool more)
{
    Pb__ReserveRun message     = PB__RESERVE_RUN__INIT;
    struct rpc_request request = {.service        = &pb__budgets__descriptor,
                                  .method         = "Admit",
                                  .message        = &message,
                                  .partition      = run->partition,
                                  .wait_for_ready = true};
    if (!more) {
        run->call = id_next(&guard->call_ids, clock_unix_us() / 1'000, (uint32_t)random_u64());
    }
    message.run           = run->run ? run->run->run : run->name;
    message.call          = run->call.text;
    message.namespace_    = asked->namespace_;
    message.input_tokens  = asked->input_tokens;
    message.output_tokens = asked->output_tokens;
    message.price         = asked->price;
    message.model         = asked->model;
    message.deadline_us   = asked->deadline_us;
    message.more          = more;

    struct run_question *question = question_new(guard, run, more);
    if (id_is_valid(str_from(message.run))) memcpy(question->asked.text, message.run, ID_LEN);
    if (!guard_ask(guard, question, &request, on_asked)) {
        question_drop(guard, question);
        return GUARD_UNKNOWN;
    }
    run->question = question;
    return GUARD_WAIT;
}

void guard_leave_run(struct guard *guard, struct guard_run *run)
{
    if (run->question) run->question->run = NULL;
    run->question = NULL;
    if (!run->run) return;
    pb__reserved_run__free_unpacked(run->run, NULL);
    run->run = NULL;
    guard_tell_soon(guard);
}
