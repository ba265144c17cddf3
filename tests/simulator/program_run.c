/* Interprets programs: what the engine must come to. */
#include "program_agent.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

struct machine {
    const struct programs *programs;
    struct tally *tallies;
    enum extent extent;
    bool is_repeat;  /* what completed before under the same key is not called again */
    bool has_undone; /* since the last attempt of an `again` began */
    unsigned sagas;  /* around */
    uint32_t undos[UNDOS_MAX];
    size_t undo_count;
    struct result *result;
};

int64_t site_step(uint32_t site, int64_t n)
{
    return (n * 31 + (int64_t)site * 17 + 5) % MODULUS;
}

static bool run_node(struct machine *machine, const struct node *node, int64_t *n);

static bool run_children(struct machine *machine, const struct node *node, int64_t *n)
{
    for (size_t i = 0; i < node->child_count; i++) {
        if (!run_node(machine, node->children[i], n)) return false;
    }
    return true;
}

static bool raise_error(struct machine *machine, const char *type, uint32_t number, int64_t status)
{
    struct result *result = machine->result;
    (void)snprintf(result->error, sizeof result->error, "https://sim.test/%s/%u", type, number);
    result->status = status;
    return false;
}

/* False: it comes to nothing. */
static bool undo_counted(const struct machine *machine, uint32_t site)
{
    struct tally *tally = &machine->tallies[site];
    bool is_done        = machine->programs->sites[site].kind == SITE_UNDO;
    tally->keys++;
    tally->completed += is_done;
    tally->dead += !is_done;
    return is_done;
}

static bool run_call(struct machine *machine, const struct node *node, int64_t *n)
{
    struct tally *tally = &machine->tallies[node->site];
    if (!machine->is_repeat) tally->keys++;
    switch (machine->programs->sites[node->site].kind) {
    case SITE_PERMANENT: tally->failed++; return raise_error(machine, "permanent", node->site, 422);
    case SITE_EXHAUST:
    case SITE_UNSURE:
        tally->dead++;
        machine->result->error[0] = '\0'; /* the last attempt may also have been lost */
        return false;
    case SITE_LATE:
        if (machine->extent == EXTENT_LEAST) return false;
        tally->dead += machine->programs->sites[node->site].rounds + 1;
        break;
    default: break;
    }
    if (!machine->is_repeat) tally->completed++;
    *n = site_step(node->site, *n);
    if (node->undo == 0) return true;
    ASSERT(machine->undo_count < UNDOS_MAX);
    machine->undos[machine->undo_count++] = node->undo;
    if (machine->extent == EXTENT_AT_MOST) undo_counted(machine, node->undo);
    return true;
}

/* Whether it is answered or refused: the same comes of it. */
static bool run_model(const struct machine *machine, const struct node *node, int64_t *n)
{
    struct tally *tally = &machine->tallies[node->site];
    tally->keys++;
    tally->completed++;
    *n = node->b;
    return true;
}

static void undo_until(struct machine *machine, size_t start)
{
    struct result *result = machine->result;
    while (machine->undo_count > start) {
        uint32_t site       = machine->undos[--machine->undo_count];
        machine->has_undone = true;
        result->has_undone  = true;
        if (!undo_counted(machine, site)) continue; /* given up; the rest is undone */
        ASSERT(result->undone_count < UNDOS_MAX);
        result->undone[result->undone_count++] = site;
    }
}

static bool run_saga(struct machine *machine, const struct node *node, int64_t *n)
{
    size_t start = machine->undo_count;
    machine->sagas++;
    bool is_ok = run_children(machine, node, n);
    machine->sagas--;
    if (!is_ok) undo_until(machine, start);
    if (is_ok && machine->sagas == 0) machine->undo_count = start;
    return is_ok;
}

/* An attempt after one of which something was undone calls everything anew. */
static bool run_again(struct machine *machine, const struct node *node, int64_t *n)
{
    for (int64_t i = 0; i <= node->a; i++) {
        int64_t own         = *n;
        machine->has_undone = false;
        bool is_ok          = run_children(machine, node, &own);
        ASSERT(!is_ok);
        machine->is_repeat = !machine->has_undone;
    }
    machine->is_repeat = false;
    *n                 = node->b;
    return true;
}

/* Everything begins with the same number, and the sum goes on. */
static bool run_side_by_side(struct machine *machine, const struct node *node, int64_t *n)
{
    int64_t sum   = 0;
    int64_t count = node->kind == NODE_FORK ? (int64_t)node->child_count : node->a;
    for (int64_t i = 0; i < count; i++) {
        int64_t own = *n;
        bool is_ok  = run_children(machine, node->children[node->kind == NODE_FORK ? i : 0], &own);
        ASSERT(is_ok);
        sum += own;
    }
    *n = sum % MODULUS;
    return true;
}

static bool run_child(struct machine *machine, const struct node *node, int64_t *n)
{
    struct result child = {};
    program_run(machine->programs, (size_t)node->a, *n, machine->tallies, machine->extent, &child);
    machine->result->children += 1 + child.children;
    *n = child.is_error ? node->b : child.n;
    return true;
}

static bool run_waiting(const struct machine *machine, const struct node *node, int64_t *n)
{
    if (node->kind == NODE_LISTEN) {
        *n = (*n + machine->programs->sites[node->site].value) % MODULUS;
    } else if (node->kind == NODE_ASK) {
        *n = (*n + (site_approves(node->site) ? 7 : 11)) % MODULUS;
    } else if (node->kind == NODE_TIMEOUT) {
        *n = node->b;
    }
    return true;
}

static bool run_node(struct machine *machine, const struct node *node, int64_t *n)
{
    switch (node->kind) {
    case NODE_SEQUENCE: return run_children(machine, node, n);
    case NODE_SET: *n = (*n * node->a + node->b) % MODULUS; return true;
    case NODE_CALL: return run_call(machine, node, n);
    case NODE_MODEL: return run_model(machine, node, n);
    case NODE_AGENT:
        agent_run(machine->programs, node, machine->tallies, machine->extent, machine->result, n);
        return true;
    case NODE_CUT: /* its call may be undone: sim_cuts.c */
        machine->result->has_undone = true;
        return raise_error(machine, "raised", node->id, 400 + node->id % 100);
    case NODE_RAISE: return raise_error(machine, "raised", node->id, 400 + node->id % 100);
    case NODE_SWITCH: return run_children(machine, node->children[*n % 2], n);
    case NODE_IF: return *n % 3 != 0 || run_children(machine, node->children[0], n);
    case NODE_LOOP:
        for (int64_t i = 0; i < node->a; i++) {
            if (!run_children(machine, node->children[0], n)) return false;
        }
        return true;
    case NODE_PARALLEL:
    case NODE_FORK: return run_side_by_side(machine, node, n);
    case NODE_RACE: return run_children(machine, node->children[0], n);
    case NODE_TRY:
        if (!run_children(machine, node, n)) *n = node->b;
        return true;
    case NODE_AGAIN: return run_again(machine, node, n);
    case NODE_CHILD: return run_child(machine, node, n);
    case NODE_SAGA: return run_saga(machine, node, n);
    case NODE_WAIT:
    case NODE_TIMEOUT:
    case NODE_LISTEN:
    case NODE_ASK:
    case NODE_EMIT: return run_waiting(machine, node, n);
    }
    return true;
}

void program_run(const struct programs *programs, size_t index, int64_t n, struct tally *tallies,
                 enum extent extent, struct result *ret_result)
{
    *ret_result            = (struct result){};
    struct machine machine = {
        .programs = programs, .tallies = tallies, .extent = extent, .result = ret_result};
    ret_result->is_error = !run_children(&machine, programs->items[index].root, &n);
    ret_result->n        = n;
}
