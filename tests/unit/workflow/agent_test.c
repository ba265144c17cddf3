/* agent.run: what is read, and what is wrong with it. The tasks of a row start at line 3. */
#include "findings.h"

#define AGENT(with) TASKS "- a: { call: agent.run, with: { model: m, input: i, " with " } }\n"
#define TOOL(tool)  AGENT("tools: [ " tool " ]")

static const struct finding_row rows[] = {
    {"no input", TASKS "- a: { call: agent.run, with: { model: m } }\n", "V14", 3, 31,
     "`agent.run`: `with` must have `input`", ""},
    {"no model", TASKS "- a: { call: agent.run, with: { input: i } }\n", "V14", 3, 31,
     "needs `model` or `assistant`", ""},
    {"an unknown argument", AGENT("maxturns: 3"), "V14", 3, 53,
     "`maxturns` is not an argument of `agent.run`", "`maxTurns`"},
    {"too many turns", AGENT("maxTurns: 257"), "V14", 3, 63, "`maxTurns`", ""},
    {"a budget of nothing", AGENT("budget: {}"), "V14", 3, 61, "`budget`", ""},
    {"an unknown retry", AGENT("retry: patient"), "V13", 3, 60, "no retry `patient`", ""},
    {"tools by an expression", AGENT("tools: '${ .tools }'"), "V06", 3, 60, "`tools` is a list",
     "`with` of a tool"},
    {"a function that is not there", TOOL("{ function: web.scrap }"), "V14", 3, 74,
     "no function `web.scrap`", "--catalog"},
    {"a function of the engine", TOOL("{ function: assistant.list }"), "V14", 3, 74,
     "`assistant.list` cannot be a tool", ""},
    {"a function that is a task",
     HEAD
     "use: { functions: { f: { set: { x: 1 } } } }\ndo:\n- a: { call: agent.run, with: { model: m, "
     "input: i, tools: [ { function: f } ] } }\n",
     "V05", 4, 74, "functions of `use.functions` as tools are not supported yet", "a workflow"},
    {"no target", TOOL("{ name: x }"), "V06", 3, 62, "a tool needs `function` or `workflow`", ""},
    {"a workflow of another namespace",
     TOOL("{ workflow: { namespace: other, name: w, version: latest } }"), "V06", 3, 87,
     "a child run stays in the namespace of its workflow", "namespace: "},
    {"a workflow by an expression",
     TOOL("{ workflow: { namespace: n, name: '${ .w }', version: latest } }"), "V06", 3, 96,
     "a tool's workflow is no expression", "`with` of the tool"},
    {"a version that is none", TOOL("{ workflow: { namespace: n, name: w, version: one } }"), "V06",
     3, 108, "`version` is a semantic version", "version: "},
    {"no name of a workflow", TOOL("{ workflow: { namespace: n, version: latest } }"), "V06", 3, 74,
     "`name`", ""},
    {"an input of a workflow",
     TOOL("{ workflow: { namespace: n, name: w, version: latest, input: {} } }"), "V04", 3, 116,
     "`input`", ""},
    {"a workflow and a function",
     TOOL("{ function: http, workflow: { namespace: n, name: w, version: latest } }"), "V06", 3, 80,
     "either `function` or `workflow`", ""},
    {"a schema of a workflow",
     TOOL("{ workflow: { namespace: n, name: w, version: latest }, parameters: {} }"), "V30", 3,
     118, "`w` says itself", ""},
    {"a workflow whose name is no name of a tool",
     TOOL("{ workflow: { namespace: n, name: 1st, version: latest } }"), "V12", 3, 62,
     "`1st` cannot be the name of a tool", "give it a `name`"},
    {"a workflow and a function of one name",
     TOOL("{ function: http, name: a_b }, { workflow: { namespace: n, name: a-b, version: latest } "
          "}"),
     "V10", 3, 93, "also the name of another tool", "another `name`"},
    {"an MCP server", TOOL("{ mcp: docs }"), "V05", 3, 64,
     "an MCP server as a tool is not supported yet", ""},
    {"an unknown key", TOOL("{ function: http, approve: true }"), "V04", 3, 80, "`approve`",
     "`approval`"},
    {"a bad name", TOOL("{ function: http, name: 'a b' }"), "V12", 3, 86, "name of a tool",
     "letters"},
    {"two of a name", TOOL("{ function: http }, { function: http }"), "V10", 3, 82,
     "also the name of another tool", "another `name`"},
    {"a schema where there is one", TOOL("{ function: http, parameters: {} }"), "V30", 3, 80,
     "`http` says itself", ""},
    {"a fixed argument that is none", TOOL("{ function: http, with: { url: x } }"), "V14", 3, 88,
     "`url` is not an argument of `http`", ""},
    {"onError", TOOL("{ function: http, onError: ignore }"), "V06", 3, 89, "`ignore`", "`report`"},
    {"a key of an approval", TOOL("{ function: http, approval: { payload: 1 } }"), "V04", 3, 92,
     "`payload`", ""},
    {"idempotencyKey",
     TASKS "- a: { call: agent.run, with: { model: m, input: i }, metadata: { tutti: { "
           "idempotencyKey: '${ .x }' } } }\n",
     "V30", 3, 76, "belongs to a `call`", ""},
    {"retry on the task",
     TASKS "- a: { call: agent.run, with: { model: m, input: i }, metadata: { tutti: { retry: { "
           "delay: PT1S, limit: { attempt: { count: 1 } } } } } }\n",
     "V43 w", 3, 76, "enters the whole agent again", "`with: { retry"},
};

int main(void)
{
    return run_findings("workflow agent", rows, ARRAY_LEN(rows));
}
