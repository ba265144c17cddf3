#include "program_agent.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

enum { VALUE_REFUSED = 9, VALUE_FAILED = 5, VALUE_UNKNOWN = 3 };

/* --- what the model does ------------------------------------------------------------------------
 */

struct agent_call agent_call_of(const struct agent_plan *plan, uint32_t turn, uint32_t number,
                                int64_t n)
{
    uint32_t tools = plan->tool_count;
    bool is_wild   = (n + turn + number) % 11 == 0;
    return (struct agent_call){
        .tool = is_wild ? tools : (turn + number) % tools,
        .n    = (n + 7 * (int64_t)turn + number) % MODULUS,
    };
}

/* What the run comes to, whatever is counted. */
static enum agent_outcome child_outcome(const struct programs *programs, uint32_t program,
                                        int64_t n, int64_t *ret_value)
{
    struct tally *uncounted = mem_new(SITES_MAX, sizeof *uncounted);
    struct result result    = {};
    program_run(programs, program, n, uncounted, EXTENT_ALL, &result);
    free(uncounted);
    if (result.is_error) return AGENT_FAILED;
    *ret_value = result.n;
    return AGENT_ANSWERED;
}

enum agent_outcome agent_outcome_of(const struct programs *programs, const struct agent_plan *plan,
                                    const struct agent_call *call, int64_t *ret_value)
{
    *ret_value = VALUE_UNKNOWN;
    if (call->tool == plan->tool_count) return AGENT_UNKNOWN;
    *ret_value        = VALUE_REFUSED;
    uint32_t approval = plan->approvals[call->tool];
    if (approval > 0 && !site_approves(approval)) return AGENT_REFUSED;
    *ret_value    = VALUE_FAILED;
    uint32_t tool = plan->tools[call->tool];
    if (tool == 0) return child_outcome(programs, plan->children[call->tool], call->n, ret_value);
    if (programs->sites[tool].kind == SITE_PERMANENT) return AGENT_FAILED;
    *ret_value = site_step(tool, call->n);
    return AGENT_ANSWERED;
}

int64_t agent_turn_of(const struct programs *programs, const struct agent_plan *plan, uint32_t turn,
                      int64_t n)
{
    int64_t sum = n;
    for (uint32_t i = 0; i < plan->calls; i++) {
        const struct agent_call call = agent_call_of(plan, turn, i, n);
        int64_t value                = 0;
        (void)agent_outcome_of(programs, plan, &call, &value);
        sum += value;
    }
    return sum % MODULUS;
}

/* --- what comes of all --------------------------------------------------------------------------
 */

static void child_counted(const struct programs *programs, uint32_t program, int64_t n,
                          struct tally *tallies, enum extent extent, struct result *result)
{
    struct result child = {};
    program_run(programs, program, n, tallies, extent, &child);
    result->children += 1 + child.children;
}

static void turn_counted(const struct programs *programs, const struct agent_plan *plan,
                         struct tally *tallies, enum extent extent, struct result *result,
                         uint32_t turn, int64_t n)
{
    for (uint32_t i = 0; i < plan->calls; i++) {
        const struct agent_call call = agent_call_of(plan, turn, i, n);
        int64_t value                = 0;
        enum agent_outcome outcome   = agent_outcome_of(programs, plan, &call, &value);
        if (outcome < AGENT_FAILED) continue;
        if (plan->tools[call.tool] == 0) {
            child_counted(programs, plan->children[call.tool], call.n, tallies, extent, result);
            continue;
        }
        struct tally *tally = &tallies[plan->tools[call.tool]];
        tally->keys++;
        tally->completed += outcome == AGENT_ANSWERED;
        tally->failed += outcome == AGENT_FAILED;
    }
}

void agent_run(const struct programs *programs, const struct node *node, struct tally *tallies,
               enum extent extent, struct result *result, int64_t *n)
{
    const struct agent_plan *plan = programs->sites[node->site].agent;
    struct tally *model           = &tallies[node->site];
    int64_t value                 = *n;
    *n                            = node->b; /* unless it comes to an answer */
    for (uint32_t turn = 0;; turn++) {
        if (plan->paid_for > 0 && turn >= plan->paid_for) return;
        model->keys++;
        model->completed++;
        if (turn == plan->turns) break;
        if (plan->turns_max > 0 && turn + 1 >= plan->turns_max) return;
        turn_counted(programs, plan, tallies, extent, result, turn, value);
        value = agent_turn_of(programs, plan, turn, value);
    }
    *n = value;
}

/* --- printing -----------------------------------------------------------------------------------
 */

static void print_tool(const struct programs *programs, const struct agent_plan *plan,
                       uint32_t number, struct buf *out)
{
    (void)buf_printf(out, "%s{\"name\":\"tool%u\",", number > 0 ? "," : "", number);
    if (plan->tools[number] == 0) {
        (void)buf_printf(out,
                         "\"workflow\":{\"namespace\":\"sim\",\"name\":\"%s\",\"version\":"
                         "\"latest\"}",
                         programs->items[plan->children[number]].name);
    } else {
        (void)buf_printf(out,
                         "\"function\":\"worker.step\",\"with\":{\"k\":%u},\"parameters\":{"
                         "\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}},"
                         "\"required\":[\"n\"]}",
                         plan->tools[number]);
    }
    if (plan->approvals[number] > 0) {
        (void)buf_printf(out, ",\"approval\":{\"title\":\"%u\"}", plan->approvals[number]);
    }
    (void)buf_put_text(out, "}");
}

/* A turn begins if what its texts come to is left of the tokens, which is less than half of what it
 * takes; of money something must be left. */
static void print_budget(const struct programs *programs, const struct agent_plan *plan,
                         struct buf *out)
{
    if (plan->paid_for == 0) return;
    if (plan->pays_tokens) {
        int64_t tokens = (plan->paid_for - 1) * programs->turn_tokens + programs->turn_tokens / 2;
        (void)buf_printf(out, ",\"budget\":{\"tokens\":%" PRId64 "}", tokens);
    } else {
        int64_t nanos = plan->paid_for * programs->turn_nanos;
        (void)buf_printf(out, ",\"budget\":{\"usd\":0.%09" PRId64 "}", nanos);
    }
}

void agent_print(const struct programs *programs, const struct node *node, struct buf *out)
{
    const struct agent_plan *plan = programs->sites[node->site].agent;
    (void)buf_printf(out,
                     "\"try\":[{\"" AGENT_TASK "%u\":{\"call\":\"agent.run\",\"with\":{\"model\":"
                     "\"m\",\"input\":\"${ \\\"%u \\\" + (.n | tostring) }\",\"tools\":[",
                     node->site, node->site);
    for (uint32_t i = 0; i < plan->tool_count; i++) print_tool(programs, plan, i, out);
    (void)buf_put_text(out, "],\"retry\":{\"when\":\"$error.status != 422\",\"delay\":{\"seconds\":"
                            "1},\"limit\":{\"attempt\":{\"count\":500}}}");
    if (plan->turns_max > 0) (void)buf_printf(out, ",\"maxTurns\":%u", plan->turns_max);
    print_budget(programs, plan, out);
    (void)buf_printf(out,
                     "},\"output\":{\"as\":\"${ {n: (.content | tonumber)} }\"}}}],\"catch\":{"
                     "\"do\":[{\"h%u\":{\"set\":{\"n\":%" PRId64 "}}}]}",
                     node->id, node->b);
}
