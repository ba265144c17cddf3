/*
 * Random commands in random order, with crashes between them: whatever happens, the journal alone
 * gives the same run (`world` proves it after each command), and the core never contradicts itself
 * (its assertions). A seed that fails is printed and replays.
 */
#include "cmocka.h"
#include "support/scheduler/world_cache.h"

#include <stdio.h>

#define CALL "call: http, with: {method: get, endpoint: 'https://a.test/x'}"
#define UNDO "metadata: {tutti: {compensate: [{u: {" CALL "}}]}}"
#define CHAT "call: llm.chat, with: {model: smart, prompt: Hi}"

#define AGENT                                                                                      \
    "call: agent.run, with: {model: m, input: Go, maxTurns: 4, schema: {type: object}, tools: ["   \
    "{function: http, name: free, with: {method: get}}, {function: http, name: guarded,"           \
    " approval: {timeout: PT30S}, onError: fault}], retry: {limit: {attempt: {count: 1}}}}"
#define KEPT "call: worker.a, with: {n: 1}, metadata: {tutti: {cache: {maxAge: PT1H}}}"
#define KEPT_SHORT                                                                                 \
    "call: worker.a, with: {n: '${ . }'}, metadata: {tutti: {retry: none,"                         \
    " cache: {maxAge: PT3S, key: '${ 7 }'}}}"
#define KEPT_OWN                                                                                   \
    "call: worker.a, with: {n: 1}, metadata: {tutti: {idempotencyKey: '${ \"k\" }',"               \
    " cache: {maxAge: PT1H, key: '${ 7 }'}}}"
#define PATIENT                                                                                    \
    CALL ", metadata: {tutti: {onExhausted: pause, retry: {limit: {attempt: {count: 1}}}}}"
#define CHILD "run: {workflow: {namespace: test, name: c, version: latest, input: {n: 1}}"

enum { SEEDS = 40, COMMANDS = 120, SECOND_US = 1'000'000 };

/* Kinds within kinds, so that every one meets every other in some state. */
static const char *const bodies[] = {
    "timeout: {after: {minutes: 10}}\n"
    "do:\n"
    "  - t: {try: [{f: {fork: {branches: [{a: {" CALL "}}, {w: {wait: {seconds: 7}}},\n"
    "      {l: {listen: {to: {any: [{with: {type: x}}, {with: {type: y}}]}}}}]}}}],\n"
    "      catch: {retry: {delay: {seconds: 2}, backoff: {exponential: {}},\n"
    "      limit: {attempt: {count: 3, duration: {seconds: 20}}}}, do: [{h: {" CHAT "}}]}}\n"
    "  - p: {timeout: {after: {seconds: 90}}, listen: {to: {one: {with: {type:\n"
    "      dev.tutti.approval.decided.v1}}}, }, metadata: {tutti: {approval: {title: T}}}}\n"
    "  - again: {switch: [{no: {when: '.[0].approved | not', then: t}}]}\n",

    "do:\n"
    "  - l: {for: {in: '[range(7)]'}, metadata: {tutti: {parallel: 3}}, do: [\n"
    "      {t: {try: [{a: {" CALL "}}, {b: {" CHAT ", output: {schema: {format: json,\n"
    "      document: {type: integer}}}}}], catch: {when: '$error.status != 599',\n"
    "      retry: {delay: {seconds: 1}, limit: {attempt: {count: 2}}}, do: [{s: {set: {n: "
    "1}}}]}}},\n"
    "      {r: {fork: {compete: true, branches: [{c: {" CALL "}}, {w: {wait: {seconds: 3}}}]}}},\n"
    "      {e: {set: {i: '${ $index }'}, export: {as: '{ last: $item }'}}}]}\n"
    "  - q: {for: {in: '.'}, while: '$index < 4', do: [{x: {" CALL ", timeout: {after:\n"
    "      {seconds: 30}}}}, {y: {emit: {event: {with: {type: x}}}}}]}\n"
    "  - z: {listen: {to: {all: [{with: {type: x}}, {with: {type: y}}]}}}\n",

    "do:\n"
    "  - f: {fork: {compete: true, branches: [\n"
    "      {a: {do: [{b: {" CHAT "}}, {c: {set: {n: 1}, then: b}}],\n"
    "        metadata: {tutti: {retry: {delay: {seconds: 1}, limit: {attempt: {count: 2}}}}}}},\n"
    "      {d: {do: [{w: {wait: {seconds: 40}}}, {e: {set: {n: 2}, then: end}}]}},\n"
    "      {g: {try: [{h: {for: {in: '[1, 2]'}, do: [{i: {" CALL ", metadata: {tutti: {retry:\n"
    "        {limit: {attempt: {count: 1}}}}}}}]}}], catch: {}}}]}}\n",

    "do:\n"
    "  - f: {fork: {branches: [\n"
    "      {a: {try: [{l: {listen: {to: {any: [{with: {type: x}, correlate: {k: {from: "
    ".source}}}],\n"
    "        until: 'length > 3'}}, timeout: {after: {minutes: 2}}, foreach: {do: [{j: {" CALL
    "}},\n"
    "        {i: {listen: {to: {one: {with: {type: y}}}}, timeout: {after: {seconds: 9}}}}],\n"
    "        output: {as: '$item'}, export: {as: '{ n: $index }'}}}}], catch: {retry: {delay:\n"
    "        {seconds: 1}, limit: {attempt: {count: 4}}}, do: [{s: {set: {n: 1}}}]}}},\n"
    "      {b: {listen: {to: {any: [], until: {all: [{with: {type: x}}, {with: {type: y}}]}}},\n"
    "        foreach: {output: {as: '. // 0'}}}},\n"
    "      {c: {for: {in: '[range(3)]'}, metadata: {tutti: {parallel: 2}}, do: [{l: {listen: {to:\n"
    "        {any: [{with: {type: y}}], until: 'length == 2'}}, foreach: {do: [{w: {wait:\n"
    "        {seconds: 2}}}, {e: {emit: {event: {with: {type: x}}}}}]}}}]}}]}}\n",

    "timeout: {after: {minutes: 20}}\n"
    "do:\n"
    "  - f: {fork: {branches: [\n"
    "      {a: {" CHILD "}, timeout: {after: {seconds: 50}},\n"
    "        metadata: {tutti: {retry: {delay: {seconds: 1}, limit: {attempt: {count: 2,\n"
    "        duration: {seconds: 20}}}}}}}},\n"
    "      {b: {for: {in: '[1, 2, 3]'}, metadata: {tutti: {parallel: 2}}, do: [\n"
    "        {t: {try: [{c: {" CHILD "}}}], catch: {}}}, {d: {" CHILD ", await: false}}},\n"
    "        {j: {" CALL "}}]}}]}}\n"
    "  - e: {fork: {compete: true, branches: [{w: {wait: {seconds: 30}}}, {x: {" CHILD "}}}]}}\n",

    "  metadata: {tutti: {saga: true}}\n"
    "timeout: {after: {minutes: 4}}\n"
    "do:\n"
    "  - v: {call: tutti.variant, with: {experiment: e, weights: {a: 1, b: 1}}}\n"
    "  - t: {try: [{f: {timeout: {after: {seconds: 40}}, fork: {branches: [\n"
    "      {s: {do: [{a: {" CALL ", " UNDO "}}, {w: {wait: {seconds: 9}}}, {b: {" CHAT "}}],\n"
    "        metadata: {tutti: {saga: true, retry: {limit: {attempt: {count: 2}}}}}}},\n"
    "      {l: {for: {in: '[range(5)]'}, metadata: {tutti: {parallel: 2}}, do: [\n"
    "        {i: {do: [{c: {" CALL ", " UNDO "}}, {d: {" CALL ", timeout: {after: {seconds: 20}},\n"
    "        " UNDO "}}], metadata: {tutti: {saga: true, compensate: [{u: {wait: {seconds: 3}}},\n"
    "        {x: {set: '${ .x }'}}]}}}}]}}]}}}], catch: {retry: {limit: {attempt: {count: 1}}}, "
    "do: [\n"
    "      {k: {call: tutti.compensate}}, {h: {" CALL ", " UNDO "}}]}}\n"
    "  - r: {fork: {compete: true, branches: [{m: {metadata: {tutti: {saga: true}}, do: [\n"
    "      {o: {set: {n: 1}, " UNDO "}}, {p: {" CALL "}}]}}, {q: {do: [{z: {" CHAT
    ", then: end}}]}}]}}\n",

    "timeout: {after: {minutes: 20}}\n"
    "do:\n"
    "  - f: {fork: {branches: [\n"
    "      {a: {" AGENT ", timeout: {after: {minutes: 3}}}},\n"
    "      {b: {try: [{c: {" AGENT
    ", metadata: {tutti: {retry: {limit: {attempt: {count: 2}}}}}}}],\n"
    "        catch: {retry: {delay: {seconds: 1}, limit: {attempt: {count: 2}}}, do: [{h: {" CALL
    "}}]}}},\n"
    "      {l: {for: {in: '[1, 2]'}, metadata: {tutti: {parallel: 2}}, do: [{d: {" AGENT
    "}}]}}]}}\n",

    "timeout: {after: {minutes: 30}}\n"
    "do:\n"
    "  - f: {fork: {branches: [\n"
    "      {l: {for: {in: '[range(6)]'}, metadata: {tutti: {parallel: 4}}, do: [\n"
    "        {a: {" KEPT ", timeout: {after: {seconds: 25}}}}, {w: {wait: {seconds: 2}}}]}},\n"
    "      {t: {try: [{b: {" KEPT_SHORT ", output: {schema: {format: json,\n"
    "        document: {type: integer}}}}}], catch: {retry: {delay: {seconds: 1},\n"
    "        limit: {attempt: {count: 3}}}, do: [{s: {set: {n: 1}}}]}}},\n"
    "      {c: {fork: {compete: true, branches: [{d: {" KEPT "}}, {e: {wait: {seconds: 4}}}]}}},\n"
    "      {g: {" KEPT_OWN "}}]}}\n"
    "  - again: {for: {in: '[1, 2, 3]'}, do: [{h: {" KEPT_SHORT "}}, {i: {" KEPT "}}]}\n",

    "  metadata: {tutti: {saga: true}}\n"
    "timeout: {after: {minutes: 9}}\n"
    "do:\n"
    "  - f: {fork: {branches: [\n"
    "      {l: {for: {in: '[range(5)]'}, metadata: {tutti: {parallel: 2}}, do: [\n"
    "        {a: {" PATIENT ", timeout: {after: {seconds: 50}}}}, {b: {" CALL ", " UNDO "}}]}},\n"
    "      {t: {try: [{c: {" PATIENT "}}], catch: {retry: {delay: {seconds: 1},\n"
    "        limit: {attempt: {count: 2}}}, do: [{h: {" CALL ", metadata: {tutti: {onExhausted:\n"
    "        pause}}}}]}}},\n"
    "      {r: {fork: {compete: true, branches: [{d: {" PATIENT
    "}}, {w: {wait: {seconds: 9}}}]}}}]}}\n",
};

/* What a model says that wants tools; to all others it is an object. */
static json calls_new(void)
{
    static const char *const texts[] = {"{\"endpoint\": \"https://a.test/\"}", "{", ""};
    static const char *const names[] = {"free", "guarded", "none"};
    json calls                       = json_array_new(ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        json function = json_object_new(2);
        json_object_put_text(&function, "name", json_text_from(names[i]));
        json_object_put_text(&function, "arguments", json_text_from(texts[i == 1 ? 0 : i]));
        json call = json_object_new(2);
        json_object_put_text(&call, "id", json_text_from(names[i]));
        json_object_put_text(&call, "function", function);
        json_array_push(&calls, call);
    }
    json answer = json_object_new(1);
    json_object_put_text(&answer, "tool_calls", calls);
    return answer;
}

static json value_at_random(struct prng *random)
{
    switch (prng_next(random) % 6) {
    case 0: return json_int(7);
    case 1: return json_null();
    case 2: return json_text_from("text");
    case 3: return json_object_new(0);
    default: return calls_new();
    }
}

static void answer_one(struct world *world, struct prng *random)
{
    if (world->job_count == 0) return;
    struct id id                    = world->jobs[prng_next(random) % world->job_count].id;
    CLEANUP(json_unrefp) json value = value_at_random(random);
    status code                     = STATUS_OK;
    if (prng_next(random) % 3 > 0) {
        const struct job_completion command = {.job = str_from(id.text), .output = value};
        code = run_job_completed(world->run, &world->env, &command, &world->events, NULL);
    } else {
        const struct job_failure command = {
            .job          = str_from(id.text),
            .error        = value,
            .is_transient = prng_next(random) % 2,
        };
        code = run_job_failed(world->run, &world->env, &command, &world->events, NULL);
    }
    assert_int_equal(code, STATUS_OK);
    world_commit(world);
}

static void answer_child(struct world *world, struct prng *random)
{
    static const char fault[] = "{\"type\":\"https://a.test/e\",\"status\":418,\"title\":\"T\","
                                "\"detail\":\"D\",\"instance\":\"/do/0/x\"}";
    static const enum child_outcome outcomes[] = {CHILD_STARTED, CHILD_COMPLETED, CHILD_COMPLETED,
                                                  CHILD_FAULTED, CHILD_CANCELLED, CHILD_TERMINATED,
                                                  CHILD_REFUSED};
    if (world->child_count == 0) return;
    size_t index               = prng_next(random) % world->child_count;
    enum child_outcome outcome = outcomes[prng_next(random) % ARRAY_LEN(outcomes)];
    bool is_error              = outcome == CHILD_FAULTED || outcome == CHILD_REFUSED;
    const struct id id         = world->children[index].id;
    uint32_t activation        = world->children[index].activation;
    world_answer_child(world, index, outcome, is_error ? fault : "[1]");
    if (outcome == CHILD_STARTED) return;
    /* The same answer again is no news. */
    const struct child_answer answer = {
        .activation = activation, .child = str_from(id.text), .outcome = outcome};
    status code = run_child_answered(world->run, &world->env, &answer, &world->events, NULL);
    assert_int_equal(code, STATUS_NOT_FOUND);
}

/* What an operator says of a task that was given up; the run goes on with it. */
static bool speak(struct world *world, struct prng *random)
{
    struct run_wait waits[32];
    size_t count = run_waits(world->run, waits, ARRAY_LEN(waits));
    for (size_t i = 0; i < count; i++) {
        if (waits[i].kind != WAIT_OPERATOR) continue;
        char job[ID_LEN + 1] = "";
        memcpy(job, waits[i].id.ptr, ID_LEN);
        const struct run_retry command = {.job = str_from(job), .by = str_from("ann")};
        bool is_retry                  = prng_next(random) % 3 > 0;
        status code = (is_retry ? run_retry : run_give_up)(world->run, &world->env, &command,
                                                           &world->events, NULL);
        assert_int_equal(code, STATUS_OK);
        world_commit(world);
        return true;
    }
    return false;
}

static void pause_or_go_on(struct world *world, struct prng *random)
{
    if (prng_next(random) % 2 && speak(world, random)) return;
    if (!run_is_suspended(world->run)) {
        world_suspend(world);
        assert_int_equal(run_next_due(world->run), NO_DUE_US);
        assert_false(run_has_more(world->run));
    } else {
        world_resume(world);
    }
}

static void set_variable(struct world *world, struct prng *random)
{
    CLEANUP(json_unrefp) json value = value_at_random(random);
    struct error error              = {};
    status code = run_set_variable(world->run, &world->env, str_from("v"), value, str_from("ann"),
                                   &world->events, &error);
    if (code == STATUS_OK) {
        world_commit(world);
    } else {
        assert_string_equal(error.code, "variables_invalid"); /* something else was exported */
    }
}

static void command_at_random(struct world *world, struct prng *random)
{
    uint64_t draw = prng_next(random) % 100;
    if (draw < 15) {
        answer_child(world, random);
    } else if (draw < 18) {
        pause_or_go_on(world, random);
    } else if (draw < 45) {
        answer_one(world, random);
    } else if (draw < 60) {
        world_pass(world, (int64_t)(prng_next(random) % (10 * SECOND_US)));
    } else if (draw < 70) {
        world_signal(world, draw % 2 ? "x" : "y", NULL);
    } else if (draw < 76) {
        if (world->approval.text[0]) (void)world_decide(world, draw % 2, NULL);
    } else if (draw < 84) {
        world_crash(world, draw % 2);
    } else if (draw < 86) {
        set_variable(world, random);
    } else if (draw < 88) {
        world_charge(world, (int64_t)draw);
    } else if (draw < 99) {
        (void)world_step(world);
    } else if (prng_next(random) % 4 == 0) {
        world_cancel(world);
    }
}

static void storm(const char *body, uint64_t seed)
{
    struct prng random = {seed};
    struct world world;
    world_init(&world, body);
    world.env.limits.steps_max = 1 + (uint32_t)(seed % 5);
    world_start(&world, "{}");
    for (int i = 0; i < COMMANDS && !run_status_is_final(run_status(world.run)); i++) {
        command_at_random(&world, &random);
        bool is_faulted = run_status(world.run) == RUN_FAULTED;
        if (is_faulted && prng_next(&random) % 3) (void)world_retry(&world, NULL);
    }
    bool is_over = run_status_is_final(run_status(world.run));
    if (!is_over && seed % 2) world_cancel(&world);
    if (!is_over && seed % 2 == 0) world_terminate(&world);
    world_charge(&world, 7); /* its worker has heard of it */
    world_crash(&world, seed % 3 == 0);
    world_play(&world);                     /* what a cancel undoes takes its time */
    assert_int_equal(world.child_count, 0); /* nobody is left behind */
    while (world_cache_step(&world)) continue;
    assert_int_equal(world_cache_callers(&world), 0); /* nor waited for */
    assert_int_equal(run_jobs_open(world.run), 0);
    assert_int_equal(run_next_due(world.run), NO_DUE_US);
    world_prove_erasure(&world);
    world_prove_move(&world);
    world_done(&world);
}

static void the_journal_survives_a_storm(void **state)
{
    const char *body = *state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("seed %llu\r", (unsigned long long)seed);
        storm(body, seed);
    }
}

/* A storm is over before that, most of the time. */
static void test_a_child_run_is_terminated(void **)
{
    struct world world;
    world_init(&world, "do:\n  - c: {" CHILD "}}\n");
    world_start(&world, "{}");
    world_terminate(&world);
    assert_non_null(strstr(world.history.ptr, "child.terminated"));
    world_crash(&world, false);
    assert_int_equal(run_status(world.run), RUN_TERMINATED);
    world_done(&world);
}

int main(void)
{
    static const char *const names[] = {"try around fork", "loops",        "races",
                                        "listeners",       "child runs",   "sagas",
                                        "agents",          "kept answers", "operators"};
    struct CMUnitTest tests[ARRAY_LEN(bodies) + 1];
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        tests[i] = row_test(names[i], the_journal_survives_a_storm, bodies[i]);
    }
    const struct CMUnitTest terminated = cmocka_unit_test(test_a_child_run_is_terminated);
    tests[ARRAY_LEN(bodies)]           = terminated;
    return cmocka_run_group_tests_name("storm", tests, NULL, NULL);
}
