/* The arguments of `llm.chat`: its input schema, and which of them go together. */
#include "workflow/catalog.h"
#include "workflow/task_read.h"

/* Not refused here: what a provider may refuse of a value (temperature above 1, ...). */
const char chat_input_schema[] =
    "{ \"type\": \"object\", \"properties\": {"
    "  \"model\":       { \"type\": \"string\", \"minLength\": 1 },"
    "  \"assistant\":   { \"type\": \"string\", \"minLength\": 1 },"
    "  \"variables\":   { \"type\": \"object\" },"
    "  \"system\":      { \"type\": \"string\" },"
    "  \"prompt\":      { \"type\": \"string\" },"
    "  \"messages\":    { \"type\": \"array\", \"minItems\": 1, \"items\": {"
    "      \"type\": \"object\", \"required\": [\"role\"], \"properties\": {"
    "        \"role\": { \"enum\": [\"developer\", \"system\", \"user\", \"assistant\", \"tool\"] "
    "},"
    "        \"content\": { \"type\": [\"string\", \"array\", \"null\"] } } } },"
    "  \"json\":        { \"type\": \"boolean\" },"
    "  \"fallbacks\":   { \"type\": \"array\", \"maxItems\": 8,"
    "                    \"items\": { \"type\": \"string\", \"minLength\": 1 } },"
    "  \"schema\":      { \"type\": [\"object\", \"boolean\"] },"
    "  \"repair_attempts\": { \"type\": \"integer\", \"minimum\": 0, \"maximum\": 10 },"
    "  \"tools\":       { \"type\": \"array\" },"
    "  \"tool_choice\": { \"type\": [\"string\", \"object\"] },"
    "  \"parallel_tool_calls\": { \"type\": \"boolean\" },"
    "  \"response_format\":     { \"type\": \"object\" },"
    "  \"temperature\":         { \"type\": \"number\", \"minimum\": 0, \"maximum\": 2 },"
    "  \"top_p\":               { \"type\": \"number\", \"minimum\": 0, \"maximum\": 1 },"
    "  \"max_tokens\":            { \"type\": \"integer\", \"minimum\": 1 },"
    "  \"max_completion_tokens\": { \"type\": \"integer\", \"minimum\": 1 },"
    "  \"stop\":              { \"type\": [\"string\", \"array\"] },"
    "  \"seed\":              { \"type\": \"integer\" },"
    "  \"presence_penalty\":  { \"type\": \"number\" },"
    "  \"frequency_penalty\": { \"type\": \"number\" },"
    "  \"reasoning_effort\":  { \"enum\": [\"none\", \"minimal\", \"low\", \"medium\", \"high\","
    "                           \"xhigh\", \"max\"] },"
    "  \"verbosity\":    { \"enum\": [\"low\", \"medium\", \"high\"] },"
    "  \"service_tier\": { \"type\": \"string\" },"
    "  \"metadata\":     { \"type\": \"object\" },"
    "  \"cache\":        { \"type\": [\"string\", \"boolean\"] },"
    "  \"user\":         { \"type\": \"string\" } } }";

static bool has(json value, const char *key)
{
    return !json_is(json_get_text(value, key), JSON_INVALID);
}

static void check_pairs(struct reader *reader, json value)
{
    static const struct {
        const char *one, *other;
    } pairs[] = {{"model", "assistant"}, {"prompt", "messages"}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        bool has_one   = has(value, pairs[i].one);
        bool has_other = has(value, pairs[i].other);
        if (!has_one && !has_other) {
            refuse(reader, "V14", value_place(reader), "`llm.chat` needs `%s` or `%s`",
                   pairs[i].one, pairs[i].other);
        }
    }
    if (has(value, "prompt") && has(value, "messages")) {
        struct diagnostic *finding =
            refuse(reader, "V14", value_place(reader), "`llm.chat` takes `prompt` or `messages`");
        hint(reader, finding, "`prompt` is short for one message of role `user`");
    }
}

void chat_with_read(struct reader *reader, json value, void *target)
{
    arguments_check(reader, reader->draft->function->arguments, value);
    check_pairs(reader, value);
    template_read(reader, value, target);
}
