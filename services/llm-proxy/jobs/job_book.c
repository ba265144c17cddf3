#include "llm-proxy/jobs/job_book.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "workflow/errors.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

enum { ERROR_TEXT_SIZE = 4'096, AGAIN_US = 1'000'000 };

/* A job of the worker's that waits for a ticket. */
struct holder {
    struct worker_job *job;
    struct ticket *ticket;
    struct holder *next;
};

/* One key that is being answered; or a job without a key. */
struct ticket {
    struct worker_job face; /* first: what is run in place of its holders' */
    struct job_book *book;
    struct answers_claim claim;
    struct peers_search *search; /* it does not run yet: others are asked for its answer */
    struct holder *holders;      /* the first one has begun it, or has taken its place */
    Pb__JobCompleted *completed; /* while it is written; owned */
    struct {
        worker_drawn_fn *drawn; /* NULL: nothing is drawn */
        void *context;
        int64_t output_tokens;
        const Pb__ModelPrice *price; /* borrowed */
    } draw;
    struct ticket *previous, *next;
};

struct job_book {
    struct job_book_options options;
    struct ticket *tickets;
};

/* --- life --------------------------------------------------------------------------------------
 */

struct job_book *job_book_new(const struct job_book_options *options)
{
    struct job_book *book = mem_new(1, sizeof *book);
    book->options         = *options;
    return book;
}

static struct ticket *ticket_new(struct job_book *book)
{
    struct ticket *ticket = mem_new(1, sizeof *ticket);
    ticket->book          = book;
    ticket->claim.owner   = ticket;
    ticket->next          = book->tickets;
    if (ticket->next) ticket->next->previous = ticket;
    book->tickets = ticket;
    return ticket;
}

static void ticket_free(struct ticket *ticket)
{
    while (ticket->holders) {
        struct holder *holder = ticket->holders;
        ticket->holders       = holder->next;
        free(holder);
    }
    if (ticket->previous) ticket->previous->next = ticket->next;
    if (ticket->next) ticket->next->previous = ticket->previous;
    if (ticket->book->tickets == ticket) ticket->book->tickets = ticket->next;
    peers_search_drop(ticket->search);
    answers_unclaim(&ticket->claim);
    if (ticket->completed) pb__job_completed__free_unpacked(ticket->completed, NULL);
    free(ticket);
}

void job_book_freep(struct job_book **ref)
{
    struct job_book *book = *ref;
    if (!book) return;
    while (book->tickets) ticket_free(book->tickets);
    free(book);
    *ref = NULL;
}

/* Behind those that are there. */
static void add_holder(struct ticket *ticket, struct worker_job *job)
{
    struct holder *holder = mem_new(1, sizeof *holder);
    struct holder **link  = &ticket->holders;
    while (*link) link = &(*link)->next;
    *link               = holder;
    holder->job         = job;
    holder->ticket      = ticket;
    job->state          = holder;
    ticket->face.leased = ticket->holders->job->leased;
}

/* The first one; NULL: there are no more. */
static struct worker_job *take_holder(struct ticket *ticket)
{
    struct holder *holder = ticket->holders;
    if (!holder) return NULL;
    struct worker_job *job = holder->job;
    ticket->holders        = holder->next;
    job->state             = NULL;
    free(holder);
    return job;
}

static struct ticket *ticket_of(struct worker_job *job)
{
    return (struct ticket *)job;
}

/* --- more to spend -----------------------------------------------------------------------------
 */

static void on_drawn(const Pb__BudgetRoom *room, void *context)
{
    struct ticket *ticket  = context;
    worker_drawn_fn *drawn = ticket->draw.drawn;
    ticket->draw.drawn     = NULL;
    if (drawn) drawn(room, ticket->draw.context);
}

static void draw(struct ticket *ticket)
{
    worker_draw(ticket->holders->job, ticket->draw.output_tokens, ticket->draw.price, on_drawn,
                ticket);
}

void job_draw(struct worker_job *job, int64_t output_tokens, const Pb__ModelPrice *price,
              worker_drawn_fn *drawn, void *context)
{
    struct ticket *ticket      = ticket_of(job);
    ticket->draw.drawn         = drawn;
    ticket->draw.context       = context;
    ticket->draw.output_tokens = output_tokens;
    ticket->draw.price         = price;
    draw(ticket);
}

/* --- the end -----------------------------------------------------------------------------------
 */

/* Another job has paid. */
static void complete_free(struct worker_job *job, const Pb__JobCompleted *completed)
{
    Pb__JobCompleted copy = *completed;
    Pb__Usage saved       = PB__USAGE__INIT;
    saved.cost_source     = PB__COST_SOURCE__COST_SOURCE_CACHED;
    if (completed->usage) {
        saved.simulated       = completed->usage->simulated;
        saved.saved_usd_nanos = completed->usage->cost_usd_nanos;
    }
    copy.usage     = &saved;
    copy.bought_by = (ProtobufCBinaryData){};
    worker_complete(job, &copy);
}

static void complete_all(struct ticket *ticket, const Pb__JobCompleted *completed)
{
    char *buyer = NULL; /* a copy: the first report may free it */
    for (struct worker_job *job = take_holder(ticket); job; job = take_holder(ticket)) {
        bool is_buyer = !buyer || strcmp(buyer, job->leased->id) == 0;
        if (!buyer) buyer = mem_dup(job->leased->id, strlen(job->leased->id));
        if (is_buyer) { /* of two leases of one job the scheduler takes the one that holds */
            worker_complete(job, completed);
        } else {
            complete_free(job, completed);
        }
    }
    free(buyer);
    ticket_free(ticket);
}

static void complete_bought(struct ticket *ticket)
{
    Pb__JobCompleted *completed = TAKE(ticket->completed);
    complete_all(ticket, completed);
    pb__job_completed__free_unpacked(completed, NULL);
}

static void on_kept(bool, void *context)
{
    struct ticket *ticket = context;
    if (ticket->holders) {
        const Pb__LeasedJob *leased = ticket->holders->job->leased;
        log_write(LOG_INFO, "llm.answer_kept", LOG_STR("run", str_from(leased->run)),
                  LOG_STR("task", str_from(leased->task)), LOG_STR("job", str_from(leased->id)));
    }
    complete_bought(ticket);
}

static Pb__JobCompleted *copy_completed(const Pb__JobCompleted *completed)
{
    size_t size            = pb__job_completed__get_packed_size(completed);
    uint8_t *packed        = mem_alloc(size + 1);
    Pb__JobCompleted *copy = NULL;
    (void)pb__job_completed__pack(completed, packed);
    copy = pb__job_completed__unpack(NULL, size, packed);
    free(packed);
    ASSERT(copy); /* it was ours */
    return copy;
}

void job_complete(struct worker_job *job, const Pb__JobCompleted *completed)
{
    struct ticket *ticket   = ticket_of(job);
    struct answers *answers = ticket->claim.answers;
    Pb__JobCompleted bought = *completed;
    bought.bought_by        = job->leased->lease_token;
    ticket->draw.drawn      = NULL; /* who has asked for more is gone */
    if (!answers || completed->output_json.len > ANSWERS_BODY_MAX) {
        complete_all(ticket, &bought);
        return;
    }
    ticket->completed   = copy_completed(&bought); /* until it is written */
    Pb__KeptAnswer kept = PB__KEPT_ANSWER__INIT;
    kept.number         = answers_next_number(answers);
    kept.namespace_     = job->leased->namespace_;
    kept.job            = job->leased->id;
    kept.name           = (ProtobufCBinaryData){.data = ticket->claim.name, .len = SHA256_SIZE};
    kept.request        = (ProtobufCBinaryData){.data = ticket->claim.request, .len = SHA256_SIZE};
    kept.completed      = ticket->completed;
    answers_keep(answers, &kept, on_kept, ticket);
}

/* Those that have joined have their own attempts. */
static void release_rest(struct ticket *ticket, int64_t not_before_us, const char *reason)
{
    for (struct worker_job *job = take_holder(ticket); job; job = take_holder(ticket)) {
        worker_release(job, not_before_us, reason);
    }
    ticket_free(ticket);
}

void job_fail(struct worker_job *job, const Pb__JobFailed *failed)
{
    struct ticket *ticket    = ticket_of(job);
    struct worker_job *first = take_holder(ticket);
    if (first) worker_fail(first, failed);
    release_rest(ticket, 0, "the call that was joined has failed");
}

void job_release(struct worker_job *job, int64_t not_before_us, const char *reason)
{
    release_rest(ticket_of(job), not_before_us, reason);
}

void job_hand_back(struct worker_job *job, const Pb__JobReleased *released)
{
    struct ticket *ticket    = ticket_of(job);
    struct worker_job *first = take_holder(ticket);
    if (first) worker_hand_back(first, released);
    release_rest(ticket, released->not_before_us, released->reason);
}

/* --- the beginning -----------------------------------------------------------------------------
 */

static void complete_kept(struct worker_job *job, const Pb__KeptAnswer *kept)
{
    const Pb__LeasedJob *leased = job->leased;
    log_write(LOG_INFO, "llm.answer_found", LOG_STR("run", str_from(leased->run)),
              LOG_STR("task", str_from(leased->task)), LOG_STR("job", str_from(leased->id)));
    if (!kept->completed) { /* names of calls and of jobs never meet */
        worker_release(job, clock_unix_us() + AGAIN_US, "an answer that is kept is no job's");
    } else if (strcmp(kept->job, leased->id) == 0) {
        worker_complete(job, kept->completed);
    } else {
        complete_free(job, kept->completed);
    }
}

static void refuse(struct worker_job *job)
{
    str detail                        = str_from("the idempotency key stands for another request");
    CLEANUP(json_unrefp) json error   = error_new(ERROR_VALIDATION, 0, detail, (str){});
    CLEANUP(buf_done) struct buf text = buf_init(ERROR_TEXT_SIZE);
    (void)json_print(error, JSON_COMPACT, &text);
    Pb__JobFailed failed = PB__JOB_FAILED__INIT;
    failed.error_json    = (ProtobufCBinaryData){.data = (uint8_t *)text.ptr, .len = text.len};
    worker_fail(job, &failed);
}

static void run(struct ticket *ticket)
{
    const struct job_book_options *options = &ticket->book->options;
    options->run(&ticket->face, options->context);
}

/* What other llm-proxies say about its key. */
static void on_found(enum answers_verdict verdict, const Pb__KeptAnswer *kept, void *context)
{
    struct ticket *ticket = context;
    ticket->search        = NULL;
    if (verdict == ANSWERS_CLAIMED) {
        run(ticket);
        return;
    }
    for (struct worker_job *job = take_holder(ticket); job; job = take_holder(ticket)) {
        int64_t again_us = clock_unix_us() + AGAIN_US;
        switch (verdict) {
        case ANSWERS_KEPT: complete_kept(job, kept); break;
        case ANSWERS_OTHER: refuse(job); break;
        case ANSWERS_RUNNING:
            worker_release(job, again_us, "another llm-proxy is buying its answer");
            break;
        default:
            worker_release(job, again_us, "another llm-proxy has its answer, too large to bring");
            break;
        }
    }
    ticket_free(ticket);
}

/* Keys that workflows choose may be those of other runs; others begin with their run's. */
static bool may_be_elsewhere(const Pb__LeasedJob *leased)
{
    size_t len  = strlen(leased->run);
    bool is_own = strncmp(leased->idempotency_key, leased->run, len) == 0 &&
                  leased->idempotency_key[len] == '/';
    return *leased->last_holder || !is_own;
}

static void begin(struct ticket *ticket, struct worker_job *job)
{
    const Pb__LeasedJob *leased = job->leased;
    struct peers *peers         = ticket->book->options.peers;
    add_holder(ticket, job);
    if (ticket->claim.answers && may_be_elsewhere(leased)) {
        ticket->search = peers_seek(peers, &ticket->claim, leased->last_holder, on_found, ticket);
    }
    if (!ticket->search) run(ticket);
}

void job_book_run(struct job_book *book, struct worker_job *job)
{
    struct ticket *ticket = ticket_new(book);
    Pb__KeptAnswer *kept  = NULL;
    void *running         = NULL;
    if (!*job->leased->idempotency_key) {
        begin(ticket, job);
        return;
    }
    answers_name_job(job->leased, ticket->claim.name);
    answers_digest_job(job->leased, ticket->claim.request);
    enum answers_verdict verdict =
        answers_claim(book->options.answers, &ticket->claim, &kept, &running);
    if (verdict == ANSWERS_CLAIMED) {
        begin(ticket, job);
        return;
    }
    ticket_free(ticket);
    switch (verdict) {
    case ANSWERS_KEPT:
        complete_kept(job, kept);
        pb__kept_answer__free_unpacked(kept, NULL);
        break;
    case ANSWERS_RUNNING: add_holder(running, job); break;
    case ANSWERS_OTHER: refuse(job); break;
    default: worker_release(job, clock_unix_us() + AGAIN_US, "the store cannot be read"); break;
    }
}

void job_book_cancel(struct worker_job *job)
{
    struct holder *holder = job->state;
    if (!holder) return;
    struct ticket *ticket = holder->ticket;
    if (ticket->completed) return; /* it is bought: on_kept() completes it, so that it pays */
    bool is_last = ticket->holders == holder && !holder->next;
    if (is_last && ticket->search) {
        release_rest(ticket, 0, "cancelled");
        return;
    }
    if (is_last) { /* it hears what the call has cost until now */
        ticket->book->options.cancel(&ticket->face, ticket->book->options.context);
        return;
    }
    bool was_first       = ticket->holders == holder;
    struct holder **link = &ticket->holders;
    while (*link != holder) link = &(*link)->next;
    *link      = holder->next;
    job->state = NULL;
    free(holder);
    ticket->face.leased = ticket->holders->job->leased; /* for another lease, or job, it goes on */
    worker_release(job, 0, "cancelled");
    if (was_first && ticket->draw.drawn) draw(ticket); /* who pays now is asked */
}

void job_book_cut(struct job_book *book)
{
    struct ticket *next = NULL;
    for (struct ticket *ticket = book->tickets; ticket; ticket = next) {
        next = ticket->next; /* each goes alone */
        if (ticket->completed) continue;
        if (ticket->search) {
            release_rest(ticket, 0, "the llm-proxy is being stopped");
        } else {
            book->options.cancel(&ticket->face, book->options.context);
        }
    }
}
