#include "tool-adapter/http/admission.h"

#include "base/buf.h"
#include "base/hash.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

enum {
    KEY_TEXT_MAX     = 64 << 10,
    KEY_BYTES        = 12 /* of the hash that stands for a value */,
    PATIENCE_STEP_MS = 50
};

/* A tollgate on the way, by its name and rules. */
struct station {
    char name[TOLLGATE_NAME_MAX + 1];
    struct tollgate_rules rules;
};

static bool is_write(const struct admission *admission)
{
    return admission->action->effect != EFFECT_READ;
}

/* --- stations --------------------------------------------------------------------------------- */

/* A bucket of `burst` that fills as fast as the rate says; smaller if that would take longer than
 * the scheduler lets a bucket take. */
static void set_rate(struct tollgate_rules *rules, int64_t count, int64_t per_ms, int64_t burst)
{
    enum { PERIOD_MIN_US = 1'000 };
    const int64_t period_max_ms = INT64_C(365) * 24 * 3'600 * 1'000;
    if (count <= 0 || per_ms <= 0) return;
    if (per_ms > period_max_ms) per_ms = period_max_ms;
    if (burst > period_max_ms / per_ms * count) burst = period_max_ms / per_ms * count;
    if (burst < 1) burst = 1;
    while (per_ms * 1'000 * burst / count < PERIOD_MIN_US) burst *= 2;
    rules->starts           = (uint32_t)burst;
    rules->starts_period_us = per_ms * 1'000 * burst / count;
}

/* What the value is need not be seen in the names of limits. */
static void put_key(const struct rate_budget *budget, json scope, struct buf *name)
{
    CLEANUP(json_unrefp) json value   = json_invalid();
    CLEANUP(buf_done) struct buf text = buf_init(KEY_TEXT_MAX);
    uint8_t hash[SHA256_SIZE];
    char hex[2 * KEY_BYTES + 1];
    if (!budget->key) return;
    if (formula_eval(budget->key, scope, scope_now_us(scope), &value, NULL) == STATUS_OK) {
        (void)json_print(value, JSON_SORTED, &text);
    }
    sha256((bytes){text.ptr, text.len}, hash);
    hex_encode(hash, KEY_BYTES, hex);
    (void)buf_printf(name, "/%s", hex);
}

/* A slash of the connection's name counts twice, so that the name of one is not that of a part of
 * another: `a/reads` is a name like any other. */
static void put_connection(const struct connection *connection, struct buf *name)
{
    (void)buf_put_text(name, "connection:");
    for (const char *at = connection->name; *at; at++) {
        (void)buf_put_text(name, *at == '/' ? "/" : "");
        (void)buf_put_byte(name, *at);
    }
}

static struct station station_new(const struct connection *connection, const char *part)
{
    struct station station            = {};
    CLEANUP(buf_done) struct buf name = buf_init(TOLLGATE_NAME_MAX);
    put_connection(connection, &name);
    (void)buf_put_text(&name, part);
    memcpy(station.name, name.ptr, name.len);
    return station;
}

static void budget_station(const struct admission *admission, size_t index,
                           struct station *ret_station)
{
    const struct connection *connection = admission->connection;
    const struct rate_budget *budget    = &connection->budgets[index];
    CLEANUP(buf_done) struct buf name   = buf_init(TOLLGATE_NAME_MAX);
    put_connection(connection, &name);
    (void)buf_printf(&name, "/budgets/%zu", index);
    put_key(budget, admission->scope, &name);
    *ret_station = (struct station){.rules.places = (uint32_t)budget->concurrency};
    memcpy(ret_station->name, name.ptr, name.len);
    set_rate(&ret_station->rules, budget->rate_count, budget->rate_per_ms, budget->burst);
}

static void gap_station(const struct admission *admission, struct station *ret_station)
{
    const struct turnstile_rules *rules = &admission->connection->turnstile->rules;
    int64_t gap_ms = is_write(admission) ? rules->gap_write_ms : rules->gap_read_ms;
    *ret_station   = station_new(admission->connection, is_write(admission) ? "/writes" : "/reads");
    set_rate(&ret_station->rules, 1, gap_ms, 1);
}

static void own_station(const struct admission *admission, struct station *ret_station)
{
    const struct turnstile_rules *rules = &admission->connection->turnstile->rules;
    *ret_station                        = station_new(admission->connection, "");
    ret_station->rules.places           = (uint32_t)rules->concurrency;
    set_rate(&ret_station->rules, rules->rate_count, rules->rate_per_ms, rules->burst);
}

/* False: there are no more. One without rules lets everybody through. */
static bool station_of(const struct admission *admission, size_t stage, struct station *ret_station)
{
    size_t budgets = admission->connection->budget_count;
    *ret_station   = (struct station){};
    if (stage < budgets) {
        bool is_meant =
            rate_budget_covers(&admission->connection->budgets[stage], admission->action->name);
        if (is_meant) budget_station(admission, stage, ret_station);
    } else if (stage == budgets) {
        gap_station(admission, ret_station);
    } else if (stage == budgets + 1) {
        own_station(admission, ret_station);
    }
    return stage < budgets + 2;
}

/* --- the way ---------------------------------------------------------------------------------- */

static void on_station(bool may_go, void *context);

/* Goes on as far as it may. True: it is through. */
static bool walk(struct admission *admission)
{
    struct station station;
    if (!admission->tollgates) return true;
    while (station_of(admission, admission->stage, &station)) {
        struct tollgate_pass *pass = &admission->passes[admission->passed];
        str name                   = str_from(station.name);
        *pass = (struct tollgate_pass){.decided = on_station, .context = admission};
        admission->stage++;
        if (tollgate_enter(admission->tollgates, name, &station.rules, pass) == TOLLGATE_WAIT) {
            return false;
        }
        if (pass->gate) admission->passed++;
    }
    return true;
}

static void decide(struct admission *admission, bool may_go, int64_t wait_ms)
{
    loop_timer_clear(admission->loop, &admission->patience);
    admission->decided(may_go, wait_ms, admission->context);
}

static void walk_on(struct admission *admission)
{
    if (walk(admission)) decide(admission, true, 0);
}

static void on_station(bool, void *context)
{
    struct admission *admission = context;
    admission->passed++;
    walk_on(admission);
}

static void on_turn(void *context)
{
    walk_on(context);
}

/* --- giving up -------------------------------------------------------------------------------- */

static bool is_outside(const struct admission *admission)
{
    return admission->turn.place == TURNSTILE_WAITING;
}

/* When it could go on at the earliest, as far as is known. */
static int64_t due_ms(const struct admission *admission)
{
    if (is_outside(admission)) return admission->connection->turnstile->due_ms[is_write(admission)];
    return tollgate_pass_opens_ms(&admission->passes[admission->passed]);
}

/* What is known of how long it would have to wait. */
static int64_t wait_of(const struct admission *admission)
{
    int64_t wait_ms = due_ms(admission) - loop_now_ms(admission->loop);
    if (is_outside(admission)) {
        wait_ms = turnstile_wait_ms(admission->connection->turnstile, is_write(admission));
    }
    if (wait_ms < ADMISSION_PATIENCE_MS) return ADMISSION_PATIENCE_MS;
    return wait_ms < ADMISSION_WAIT_MAX_MS ? wait_ms : ADMISSION_WAIT_MAX_MS;
}

static void leave(struct admission *admission, void (*end)(struct tollgate_pass *pass))
{
    for (size_t i = 0; i < ADMISSION_TOLLGATES_MAX; i++) end(&admission->passes[i]);
    if (admission->connection) turnstile_leave(admission->connection->turnstile, &admission->turn);
    if (admission->loop) loop_timer_clear(admission->loop, &admission->patience);
}

static void give_up(struct admission *admission)
{
    int64_t wait_ms = wait_of(admission);
    leave(admission, tollgate_leave_unused);
    decide(admission, false, wait_ms);
}

/* Also who is known to wait longer than he will. */
static void on_patience(void *context)
{
    struct admission *admission = context;
    int64_t now_ms              = loop_now_ms(admission->loop);
    bool is_hopeless            = due_ms(admission) > admission->until_ms;
    if (is_hopeless || now_ms >= admission->until_ms) {
        give_up(admission);
    } else {
        loop_timer_set(admission->loop, &admission->patience, now_ms + PATIENCE_STEP_MS);
    }
}

/* --- from outside ----------------------------------------------------------------------------- */

bool admission_ask(struct admission *admission)
{
    struct turnstile *turnstile = admission->connection->turnstile;
    admission->turn             = (struct turnstile_pass){
                    .is_write = is_write(admission), .enter = on_turn, .context = admission};
    admission->stage = admission->passed = 0;
    if (turnstile_ask(turnstile, admission->loop, &admission->turn) && walk(admission)) return true;
    int64_t now_ms      = loop_now_ms(admission->loop);
    bool is_own         = admission->patience_ms > 0;
    admission->until_ms = now_ms + (is_own ? admission->patience_ms : ADMISSION_PATIENCE_MS);
    admission->patience = (struct loop_timer){.fire = on_patience, .context = admission};
    loop_timer_set(admission->loop, &admission->patience, now_ms);
    return false;
}

static void leave_used(struct tollgate_pass *pass)
{
    tollgate_leave(pass, 0);
}

void admission_leave(struct admission *admission)
{
    leave(admission, leave_used);
}
