/* The arguments of `llm.embed`. */
#include "workflow/catalog.h"

/* Limits of OpenAI's API: 2,048 inputs of one request; what is in them, the provider judges. */
const char embed_input_schema[] =
    "{ \"type\": \"object\", \"required\": [\"model\", \"input\"], \"properties\": {"
    "  \"model\":      { \"type\": \"string\", \"minLength\": 1 },"
    "  \"input\":      { \"anyOf\": [ { \"type\": \"string\", \"minLength\": 1 },"
    "      { \"type\": \"array\", \"items\": { \"type\": \"integer\", \"minimum\": 0 } },"
    "      { \"type\": \"array\", \"maxItems\": 2048,"
    "        \"items\": { \"type\": \"string\", \"minLength\": 1 } },"
    "      { \"type\": \"array\", \"maxItems\": 2048,"
    "        \"items\": { \"type\": \"array\", \"minItems\": 1,"
    "          \"items\": { \"type\": \"integer\", \"minimum\": 0 } } } ] },"
    "  \"dimensions\": { \"type\": \"integer\", \"minimum\": 1, \"maximum\": 65536 } } }";
