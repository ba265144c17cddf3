#include "llm-proxy/jobs/job_room.h"

enum { PICOS_PER_NANO = 1'000 };

int64_t job_room_output(const Pb__BudgetRoom *room, int64_t input_tokens,
                        const Pb__ModelPrice *price)
{
    bool has_price = price && price->output_picos > 0;
    int64_t output = INT64_MAX;
    if (room && room->tokens >= 0) output = room->tokens - input_tokens;
    if (room && room->nanos >= 0 && has_price) {
        __int128 picos =
            (__int128)room->nanos * PICOS_PER_NANO - (__int128)input_tokens * price->input_picos;
        __int128 paid = picos / price->output_picos;
        if (paid < output) output = paid > 0 ? (int64_t)paid : 0;
    }
    if (output == INT64_MAX) return -1;
    return output > 0 ? output : 0;
}

bool job_room_is_tight(int64_t room, int64_t output_tokens)
{
    return room >= 0 && (output_tokens < 0 || output_tokens > room);
}
