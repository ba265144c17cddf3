/* A network that loses, repeats, delays and overtakes: between callers and engines. */
#include "sim.h"

#include "base/assert.h"
#include "base/mem.h"
#include "run.pb-c.h"

#include <stdlib.h>

struct message {
    struct message *next, **link;
    struct sim *sim;
    struct stage_call *call; /* NULL: it has not arrived */
    uint16_t partition;
    make_fn *make;
    answered_fn *answered;
    void *subject;
};

static void message_free(struct message *message)
{
    *message->link = message->next;
    if (message->next) message->next->link = message->link;
    stage_call_free(message->call);
    free(message);
}

static int64_t latency_us(struct sim *sim)
{
    if (sim_chance(sim, sim->weather.late)) return (int64_t)sim_draw(sim, 20'000) * MS;
    return (int64_t)sim_draw(sim, 5'000);
}

static void arrive_back(struct sim *sim, void *subject)
{
    struct message *message = subject;
    message->answered(sim, message->call, message->subject);
    message_free(message);
}

/* In the middle of a step: what the engine has said holds from now on, whoever hears it. */
static void on_done(struct stage_call *call)
{
    struct message *message       = call->context;
    struct sim *sim               = message->sim;
    const struct command *command = &call->command;
    if (command->kind == COMMAND_START && command->code == STATUS_OK) {
        const Pb__StartedRun *started = command->response;
        memcpy(call->command.run.text, started->run->id, ID_LEN);
    }
    if (command->kind == COMMAND_LEASE) workers_leased(sim, message->partition, command);
    if (command->kind == COMMAND_REPORT) workers_reported(sim, command);
    if (command->kind == COMMAND_HEARTBEAT) workers_beaten(sim, command);
    bool is_change = command->kind == COMMAND_SET_LIMIT || command->kind == COMMAND_SET_QUEUE ||
                     command->kind == COMMAND_PUT_BUDGET;
    if (is_change) sim_operator_committed(sim, message->subject, command);
    /* Views of runs are of the turn's memory: nobody reads them later. */
    if (sim->is_mute || sim_chance(sim, sim->weather.lost)) {
        sim->lost++;
        message_free(message);
        return;
    }
    sim_at(sim, latency_us(sim), arrive_back, message);
}

static void arrive(struct sim *sim, void *subject)
{
    struct message *message = subject;
    if (!stage_is_up(sim->stage)) { /* nobody is there */
        message_free(message);
        return;
    }
    message->call          = message->make(sim, message->subject);
    message->call->done    = on_done;
    message->call->context = message;
    status posted          = stage_post(sim->stage, message->partition, message->call, NULL);
    if (posted == STATUS_OK) return;
    message->call->command.code = posted;
    sim_at(sim, latency_us(sim), arrive_back, message);
}

void network_send(struct sim *sim, uint16_t partition, make_fn *make, answered_fn *answered,
                  void *subject)
{
    unsigned copies = sim_chance(sim, sim->weather.repeated) ? 2 : 1;
    for (unsigned i = 0; i < copies; i++) {
        if (sim_chance(sim, sim->weather.lost)) {
            sim->lost++;
            continue;
        }
        struct message *message = mem_new(1, sizeof *message);
        *message                = (struct message){.next      = sim->messages,
                                                   .link      = &sim->messages,
                                                   .sim       = sim,
                                                   .make      = make,
                                                   .partition = partition,
                                                   .answered  = answered,
                                                   .subject   = subject};
        if (message->next) message->next->link = &message->next;
        sim->messages = message;
        sim_at(sim, latency_us(sim), arrive, message);
    }
}

void network_done(struct sim *sim)
{
    while (sim->messages) message_free(sim->messages);
}
