/* Prints programs as workflows. */
#include "program_agent.h"

#include <inttypes.h>

#define MODULO "1000003"

static void print_node(const struct programs *programs, const struct node *node, struct buf *out);

/* A list of the children's tasks. */
static void print_list(const struct programs *programs, const struct node *node, struct buf *out)
{
    (void)buf_put_text(out, "[");
    for (size_t i = 0; i < node->child_count; i++) {
        if (i > 0) (void)buf_put_text(out, ",");
        print_node(programs, node->children[i], out);
    }
    (void)buf_put_text(out, "]");
}

bool call_limit_is_any(const struct call_limit *limit)
{
    return limit->concurrency > 0 || limit->rate_count > 0 || limit->keys > 0;
}

/* Nothing if there is none. */
static void print_limit(const struct call_limit *limit, const char *before, struct buf *out)
{
    const char *comma = "";
    if (!call_limit_is_any(limit)) return;
    (void)buf_printf(out, "%s\"limit\":{", before);
    if (limit->keys > 0) {
        (void)buf_printf(out, "\"key\":\"${ .n %% %u }\"", limit->keys);
        comma = ",";
    }
    if (limit->concurrency > 0) {
        (void)buf_printf(out, "%s\"concurrency\":%u", comma, limit->concurrency);
        comma = ",";
    }
    if (limit->rate_count > 0) {
        (void)buf_printf(out, "%s\"rate\":{\"count\":%u,\"per\":{\"seconds\":%u}}", comma,
                         limit->rate_count, limit->rate_s);
    }
    (void)buf_put_text(out, "}");
}

static void print_call(const struct programs *programs, const struct node *node, struct buf *out)
{
    const struct site *site = &programs->sites[node->site];
    /* Attempts enough for whatever a seed does, or two more that are known to fail. */
    unsigned retries = 500;
    if (site->kind == SITE_EXHAUST || site->kind == SITE_UNSURE) retries = 2;
    if (site->kind == SITE_LATE) retries = LATE_RETRIES;
    (void)buf_printf(out,
                     "\"call\":\"%s\",\"with\":{\"k\":%u,\"n\":\"${ .n }\"},\"metadata\":{"
                     "\"tutti\":{\"retry\":{\"when\":\"$error.status != "
                     "422\",\"delay\":{\"seconds\":1},\"limit\":{\"attempt\":{"
                     "\"count\":%u}}}",
                     site->kind == SITE_UNSURE ? SIM_WRITE : "worker.step", node->site, retries);
    if (site->is_cached) (void)buf_put_text(out, ",\"cache\":{\"maxAge\":\"PT10H\"}");
    print_limit(&site->limit, ",", out);
    if (node->undo > 0) {
        (void)buf_printf(out,
                         ",\"compensate\":[{\"u%u\":{\"call\":\"worker.undo\",\"with\":{\"k\":%u,"
                         "\"n\":\"${ .n }\"}",
                         node->undo, node->undo);
        if (programs->sites[node->undo].kind == SITE_NOT_UNDONE) {
            (void)buf_put_text(out, ",\"metadata\":{\"tutti\":{\"retry\":{\"delay\":{"
                                    "\"seconds\":1},\"limit\":{\"attempt\":{\"count\":2}}}}}");
        }
        (void)buf_put_text(out, "}}]");
    }
    (void)buf_put_text(out, "}}");
}

static void print_caught(const struct node *node, struct buf *out)
{
    (void)buf_printf(out, "\"do\":[{\"h%u\":{\"set\":{\"n\":%" PRId64 "}}}]", node->id, node->b);
}

/* Its prompt names the place and the number. */
static void print_model(const struct programs *programs, const struct node *node, struct buf *out)
{
    uint32_t most = programs->sites[node->site].tokens_max;
    (void)buf_printf(out,
                     "\"try\":[{\"m%u\":{\"call\":\"llm.chat\",\"with\":{\"model\":\"m\","
                     "\"prompt\":\"${ \\\"%u \\\" + (.n | tostring) }\"",
                     node->id, node->site);
    if (most > 0) (void)buf_printf(out, ",\"max_tokens\":%u", most);
    (void)buf_put_text(out,
                       "},\"metadata\":{\"tutti\":{\"retry\":{\"when\":\"$error.status != 402\","
                       "\"delay\":{\"seconds\":1},\"limit\":{\"attempt\":{\"count\":500}}}");
    print_limit(&programs->sites[node->site].limit, ",", out);
    (void)buf_printf(out,
                     "}},\"output\":{\"as\":\"${ {n: %" PRId64 "} }\"}}}],\"catch\":{\"errors\":{"
                     "\"with\":{\"type\":\"https://tutti.dev/errors/budget\"}},",
                     node->b);
    print_caught(node, out);
    (void)buf_put_text(out, "}");
}

static void print_fork(const struct programs *programs, const struct node *node, struct buf *out)
{
    bool is_race = node->kind == NODE_RACE;
    (void)buf_put_text(out, "\"fork\":{\"branches\":[");
    for (size_t i = 0; i < node->child_count; i++) {
        (void)buf_printf(out, "%s{\"b%zu\":{\"do\":", i > 0 ? "," : "", i);
        print_list(programs, node->children[i], out);
        (void)buf_put_text(out, "}}");
    }
    if (is_race) (void)buf_put_text(out, ",{\"never\":{\"wait\":{\"days\":300}}}");
    (void)buf_printf(out, "]%s}", is_race ? ",\"compete\":true" : "");
    if (is_race) return;
    (void)buf_put_text(out, ",\"output\":{\"as\":\"${ {n: (map(.n) | add % " MODULO ")} }\"}");
}

static void print_for(const struct programs *programs, const struct node *node, struct buf *out)
{
    (void)buf_printf(out, "\"for\":{\"in\":\"[range(%" PRId64 ")]\"},\"do\":", node->a);
    print_list(programs, node->children[0], out);
    if (node->kind == NODE_LOOP) return;
    (void)buf_printf(out,
                     ",\"metadata\":{\"tutti\":{\"parallel\":%" PRId64 "}},\"output\":{\"as\":"
                     "\"${ {n: (map(.n) | add %% " MODULO ")} }\"}",
                     node->b);
}

static void print_event(const struct node *node, struct buf *out)
{
    switch (node->kind) {
    case NODE_LISTEN:
        (void)buf_printf(out,
                         "\"listen\":{\"to\":{\"one\":{\"with\":{\"type\":\"s%u\"}}}},\"output\":{"
                         "\"as\":\"${ {n: (($input.n + .[0].v) %% " MODULO ")} }\"}",
                         node->site);
        break;
    case NODE_ASK:
        (void)buf_printf(out,
                         "\"listen\":{\"to\":{\"one\":{\"with\":{\"type\":"
                         "\"dev.tutti.approval.decided.v1\"}}}},\"metadata\":{\"tutti\":{"
                         "\"approval\":{\"title\":\"%u\"}}},\"output\":{\"as\":\"${ {n: (($input.n "
                         "+ (if .[0].approved then 7 else 11 end)) %% " MODULO ")} }\"}",
                         node->site);
        break;
    default:
        (void)buf_printf(out,
                         "\"fork\":{\"branches\":[{\"l\":{\"listen\":{\"to\":{\"one\":{\"with\":{"
                         "\"type\":\"e%u\",\"subject\":\"${ $workflow.id }\"}}}},\"output\":{"
                         "\"as\":\"${ .[0].v }\"}}},{\"e\":{\"emit\":{\"event\":{\"with\":{"
                         "\"source\":\"https://sim.test\",\"type\":\"e%u\",\"subject\":"
                         "\"${ $workflow.id }\",\"data\":{\"v\":\"${ .n }\"}}}}}}]},"
                         "\"output\":{\"as\":\"${ {n: .[0]} }\"}",
                         node->id, node->id);
        break;
    }
}

static void print_try(const struct programs *programs, const struct node *node, struct buf *out)
{
    (void)buf_put_text(out, "\"try\":");
    if (node->kind == NODE_TIMEOUT) {
        (void)buf_printf(out,
                         "[{\"x%u\":{\"do\":[{\"w\":{\"wait\":{\"hours\":500}}}],\"timeout\":{"
                         "\"after\":{\"seconds\":%" PRId64 "}}}}]",
                         node->id, node->a);
    } else {
        print_list(programs, node, out);
    }
    (void)buf_put_text(out, ",\"catch\":{");
    if (node->kind == NODE_AGAIN) {
        (void)buf_printf(
            out,
            "\"retry\":{\"delay\":{\"seconds\":1},\"limit\":{\"attempt\":{\"count\":%" PRId64
            "}}},",
            node->a);
    }
    print_caught(node, out);
    (void)buf_put_text(out, "}");
}

static void print_switch(const struct programs *programs, const struct node *node, struct buf *out)
{
    (void)buf_put_text(out, "\"do\":[{\"s\":{\"switch\":[{\"even\":{\"when\":\".n % 2 == 0\","
                            "\"then\":\"a\"}},{\"odd\":{\"then\":\"b\"}}]}},{\"a\":{\"do\":");
    print_list(programs, node->children[0], out);
    (void)buf_put_text(out, ",\"then\":\"exit\"}},{\"b\":{\"do\":");
    print_list(programs, node->children[1], out);
    (void)buf_put_text(out, ",\"then\":\"exit\"}}]");
}

static void print_child(const struct programs *programs, const struct node *node, struct buf *out)
{
    bool is_caught = programs->items[node->a].may_fault;
    if (is_caught) (void)buf_printf(out, "\"try\":[{\"r%u\":{", node->id);
    (void)buf_printf(out,
                     "\"run\":{\"workflow\":{\"namespace\":\"sim\",\"name\":\"%s\",\"version\":"
                     "\"latest\",\"input\":{\"n\":\"${ .n }\"}}}",
                     programs->items[node->a].name);
    if (!is_caught) return;
    (void)buf_put_text(out, "}}],\"catch\":{");
    print_caught(node, out);
    (void)buf_put_text(out, "}");
}

static void print_raise(const struct node *node, struct buf *out)
{
    (void)buf_printf(out,
                     "\"raise\":{\"error\":{\"type\":\"https://sim.test/raised/%u\","
                     "\"status\":%u,\"title\":\"T\"}}",
                     node->id, 400 + node->id % 100);
}

static void print_cut(const struct programs *programs, const struct node *node, struct buf *out)
{
    const struct node call = {.kind = NODE_CALL, .site = node->site, .undo = node->undo};
    (void)buf_put_text(out, "\"metadata\":{\"tutti\":{\"saga\":true}},\"do\":[{\"f\":{\"fork\":{"
                            "\"branches\":[{\"c\":{");
    print_call(programs, &call, out);
    (void)buf_printf(
        out, "}},{\"e\":{\"do\":[{\"w\":{\"wait\":{\"milliseconds\":%" PRId64 "}}},{\"r\":{",
        node->a);
    print_raise(node, out);
    (void)buf_put_text(out, "}}]}}]}}}]");
}

static void print_rest(const struct programs *programs, const struct node *node, struct buf *out)
{
    switch (node->kind) {
    case NODE_SAGA:
        (void)buf_put_text(out, "\"metadata\":{\"tutti\":{\"saga\":true}},\"do\":");
        print_list(programs, node, out);
        break;
    case NODE_IF:
        (void)buf_put_text(out, "\"if\":\".n % 3 == 0\",\"do\":");
        print_list(programs, node->children[0], out);
        break;
    case NODE_CHILD: print_child(programs, node, out); break;
    default:
        (void)buf_put_text(out, "\"do\":");
        print_list(programs, node, out);
        break;
    }
}

static void print_node(const struct programs *programs, const struct node *node, struct buf *out)
{
    (void)buf_printf(out, "{\"t%u\":{", node->id);
    switch (node->kind) {
    case NODE_SET:
        (void)buf_printf(out,
                         "\"set\":{\"n\":\"${ (.n * %" PRId64 " + %" PRId64 ") %% " MODULO " }\"}",
                         node->a, node->b);
        break;
    case NODE_CALL: print_call(programs, node, out); break;
    case NODE_MODEL: print_model(programs, node, out); break;
    case NODE_AGENT: agent_print(programs, node, out); break;
    case NODE_RAISE: print_raise(node, out); break;
    case NODE_CUT: print_cut(programs, node, out); break;
    case NODE_WAIT: (void)buf_printf(out, "\"wait\":{\"seconds\":%" PRId64 "}", node->a); break;
    case NODE_SWITCH: print_switch(programs, node, out); break;
    case NODE_LOOP:
    case NODE_PARALLEL: print_for(programs, node, out); break;
    case NODE_FORK:
    case NODE_RACE: print_fork(programs, node, out); break;
    case NODE_TRY:
    case NODE_AGAIN:
    case NODE_TIMEOUT: print_try(programs, node, out); break;
    case NODE_LISTEN:
    case NODE_ASK:
    case NODE_EMIT: print_event(node, out); break;
    default: print_rest(programs, node, out); break;
    }
    (void)buf_put_text(out, "}}");
}

void program_print(const struct programs *programs, size_t index, struct buf *out)
{
    const struct program *program = &programs->items[index];
    (void)buf_printf(out,
                     "{\"document\":{\"dsl\":\"1.0.3\",\"namespace\":\"sim\",\"name\":\"%s\","
                     "\"version\":\"1.0.0\"",
                     program->name);
    if (call_limit_is_any(&program->limit)) {
        print_limit(&program->limit, ",\"metadata\":{\"tutti\":{", out);
        (void)buf_put_text(out, "}}");
    }
    (void)buf_put_text(out, "},\"do\":");
    print_list(programs, program->root, out);
    (void)buf_put_text(out, "}");
}
