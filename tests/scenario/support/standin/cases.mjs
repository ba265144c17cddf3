// A call of each action of each adapter that tutti brings, on what the stand-ins hold on the first day.
//   with    its arguments            gives   the output; keys and times in it are KEY, UUID and T
//   cut     whose answer is lost, if it is not the first change's: its number, or what its path has
//   half    of several steps: what the request has in its path or body that is refused when those before it are done
//   skip    where else it is shown
import { PICTURE } from './figma.mjs';
import { MAIN, OLD } from './github.mjs';
import { ROOT, SOURCE } from './notion.mjs';
import { OLD_POINT } from './qdrant.mjs';

const PAGE = 'aaaaaaaa-0000-4000-8000-00000000000';
const BLOCK = 'bbbbbbbb-0000-4000-8000-00000000000';
const paragraph = (content) => ({ type: 'paragraph', paragraph: { rich_text: [{ type: 'text', text: { content } }] } });
const base64 = (text) => ({ base64: Buffer.from(text).toString('base64') });
const blog = { repo: 'blog' };

export function casesOf({ worlds }) {
  const at = (name) => worlds[name].url;
  const beside = (name) => worlds[name].elsewhere;
  const soon = Math.floor(Date.now() / 1000) + 3600;
  return {
    'github.get_account': { with: {}, gives: { login: 'acme-bot', id: 7 } },
    'github.create_issue': { with: { ...blog, title: 'New', body: 'Text', labels: ['bug'] }, gives: { number: 3, url: 'https://github.test/acme/blog/issues/3' } },
    'github.list_issues': { with: blog, gives: { items: [{ number: 1, url: 'https://github.test/acme/blog/issues/1', title: 'First', body: null }] } },
    'github.search_issues': { with: { q: 'repo:acme/blog First' }, gives: { items: [{ number: 1, url: 'https://github.test/acme/blog/issues/1', title: 'First' }] } },
    'github.close_issue': { with: { ...blog, number: 1 }, gives: { state: 'closed' } },
    'github.comment': { with: { ...blog, number: 1, body: 'Well' }, gives: { id: 2, url: 'https://github.test/c/2' } },
    'github.list_comments': { with: { ...blog, number: 1 }, gives: { items: [{ id: 1, url: 'https://github.test/c/1', body: 'Nice' }] } },
    'github.delete_comment': { with: { ...blog, id: 1 }, gives: {} },
    'github.create_pull_request': { with: { ...blog, title: 'Add', head: 'feat', body: 'Text' }, like: { number: 3, url: 'https://github.test/acme/blog/pull/3', head_ref: 'feat' } },
    'github.find_pull_request': { with: { ...blog, head: 'old', base: 'main' }, like: { items: [{ number: 2 }] } },
    'github.get_pull_request': { with: { ...blog, number: 2 }, like: { number: 2, state: 'open', merged: false } },
    'github.close_pull_request': { with: { ...blog, number: 2 }, gives: { state: 'closed' } },
    'github.merge_pull_request': { with: { ...blog, number: 2 }, like: { merged: true } },
    'github.create_branch': { with: { ...blog, branch: 'new/one', sha: MAIN }, like: { ref: 'refs/heads/new/one' } },
    'github.get_branch': { with: { ...blog, branch: 'feat' }, gives: { exists: true, sha: MAIN } },
    'github.delete_branch': { with: { ...blog, branch: 'feat' }, gives: {} },
    'github.get_file': { with: { ...blog, path: 'a.md' }, like: { exists: true, content: 'b2xk' } },
    'github.create_or_update_file': { with: { ...blog, path: 'a.md', content: 'new' }, like: {} },
    'github.restore_file': { with: { ...blog, path: 'a.md', sha: OLD, content_base64: 'bmV3' }, like: {} },
    'github.delete_file': { with: { ...blog, path: 'a.md', sha: OLD }, gives: {} },
    'github.dispatch_workflow': { with: { ...blog, workflow: 'build.yml', inputs: { a: 'b' } }, gives: {} },

    'slack.get_account': { with: {}, gives: { user: 'U1', team: 'T1' } },
    'slack.send_message': { with: { channel: 'Cgeneral', text: 'Hello' }, gives: { channel: 'Cgeneral', ts: 'T.000001' } },
    'slack.find_message': { with: { channel: 'Cgeneral', key: 'none' }, gives: { items: [] } },
    'slack.find_reply': { with: { channel: 'Cgeneral', thread_ts: '1700000000.000100', key: 'none' }, gives: { items: [] } },
    'slack.get_message': { with: { channel: 'Cgeneral', ts: '1700000000.000200' }, gives: { text: 'a reply', blocks: null } },
    'slack.update_message': { with: { channel: 'Cgeneral', ts: '1700000000.000200', text: 'better' }, gives: { ts: 'T.000200' } },
    'slack.delete_message': { with: { channel: 'Cgeneral', ts: '1700000000.000100' }, gives: {} },
    'slack.schedule_message': { with: { channel: 'Cgeneral', text: 'Soon', post_at: soon }, gives: { channel: 'Cgeneral', id: 'Q1' } },
    'slack.delete_scheduled_message': { with: { channel: 'Cgeneral', id: 'Q0' }, gives: {} },
    'slack.list_channels': { with: {}, gives: { channels: ['general', 'reviews', 'random'].map((name) => ({ id: `C${name}`, name })) } },
    'slack.add_reaction': { with: { channel: 'Cgeneral', ts: '1700000000.000100', emoji: 'eyes' }, like: {} },
    'slack.remove_reaction': { with: { channel: 'Cgeneral', ts: '1700000000.000200', emoji: 'tada' }, gives: {} },
    'slack.get_reactions': { with: { channel: 'Cgeneral', ts: '1700000000.000200' }, gives: { own: ['tada'] } },
    'slack.upload_file': { with: { filename: 'a.txt', content: base64('hello'), channel: 'Cgeneral' }, gives: { file: 'F1' }, cut: /completeUpload/, half: /completeUpload/ },
    'slack.delete_file': { with: { file: 'F0' }, gives: {} },

    'notion.search': { with: { query: 'tr' }, gives: { items: [2, 3].map((n) => ({ id: PAGE + n, object: 'page', url: `https://notion.test/${PAGE}${n}` })) } },
    'notion.query_database': { with: { data_source_id: SOURCE, filter: { property: 'Done', checkbox: { equals: true } } }, like: { rows: [{ id: `${PAGE}2` }] } },
    'notion.get_page': { with: { page_id: `${PAGE}1` }, like: { id: `${PAGE}1`, in_trash: false } },
    'notion.get_page_markdown': { with: { page_id: ROOT }, gives: { markdown: 'Hello' } },
    'notion.create_page': { with: { parent: { page_id: ROOT }, properties: { title: { title: [{ text: { content: 'New' } }] } }, children: [paragraph('Text')] }, gives: { id: `${PAGE}5`, url: `https://notion.test/${PAGE}5` }, leaves: ['blocks'] },
    'notion.update_page': { with: { page_id: `${PAGE}1`, properties: { Done: { checkbox: true } } }, gives: { id: `${PAGE}1` } },
    'notion.trash_page': { with: { page_id: `${PAGE}1` }, gives: {} },
    'notion.restore_page': { with: { page_id: `${PAGE}4` }, gives: {} },
    'notion.append_blocks': { with: { block_id: ROOT, children: [paragraph('One'), paragraph('Two')] }, gives: { ids: [`${BLOCK}2`, `${BLOCK}3`] } },
    'notion.delete_block': { with: { block_id: `${BLOCK}1` }, gives: {} },

    'figma.export_images': { with: { file: 'AbC123', ids: ['1:2'] }, gives: { images: { '1:2': `${beside('figma')}/pictures/1%3A2.png` } } },
    'figma.list_components': { with: { file: 'AbC123' }, gives: { items: [{ key: 'k1', node_id: '1:2', name: 'Banner', description: 'wide' }] } },
    'figma.render_component': { with: { file: 'AbC123', component: 'Banner' }, gives: { image: { base64: PICTURE.toString('base64'), mime: 'image/png', size: PICTURE.length }, url: `${beside('figma')}/pictures/1%3A2.png`, node: '1:2' } },
    'figma.get_file_nodes': { with: { file: 'AbC123', ids: ['1:2'] }, gives: { name: 'Shop', version: '7', nodes: { '1:2': { document: { id: '1:2', name: 'Banner', type: 'COMPONENT' } } } } },
    'figma.list_comments': { with: { file: 'AbC123' }, gives: { items: [{ id: '1', message: 'Nice', user: 'ada', created_at: '2026-01-01T00:00:00Z', resolved_at: null }] } },
    'figma.post_comment': { with: { file: 'AbC123', message: 'Well', reply_to: '1' }, gives: { id: '2' } },
    'figma.delete_comment': { with: { file: 'AbC123', id: '1' }, gives: {} },
    'figma.get_variables': { with: { file: 'AbC123', ids: ['VariableID:1:2'] }, like: { values: [{ mode: '1:0', value: 'old' }, { mode: '1:1', value: 'dark' }] } },
    'figma.set_variables': { with: { file: 'AbC123', values: [{ variable: 'VariableID:1:2', mode: '1:0', value: 'new' }] }, gives: { changed: 1 } },

    'sendgrid.send_email': { with: { to: ['ada@example.com', 'bob@example.com'], subject: 'Hi', html: '<p>Hi</p>', send_at: soon }, gives: { message_id: 'm1', batch_id: 'b1' }, cut: /mail\/send/, half: /mail\/send/ },
    'sendgrid.cancel_batch': { with: { batch_id: 'b0' }, gives: {} },
    'sendgrid.create_campaign': { with: { name: 'Autumn', subject: 'Leaves', html: '<p>Fall</p>' }, gives: { id: 's1', name: 'Autumn', status: 'draft' } },
    'sendgrid.get_campaign': { with: { id: 'c1' }, like: { id: 'c1', name: 'Spring', status: 'draft' } },
    'sendgrid.delete_campaign': { with: { id: 'c1' }, gives: {} },
    'sendgrid.send_campaign': { with: { id: 'c1', send_at: '2099-01-02T10:00:00Z' }, gives: { status: 'scheduled', send_at: '2099-01-02T10:00:00Z' } },
    'sendgrid.unschedule_campaign': { with: { id: 'c2' }, gives: {} },
    'sendgrid.find_contacts': { with: { emails: ['Ada@example.com', 'eve@example.com'] }, gives: { items: [{ email: 'ada@example.com', id: 'p1' }] } },
    'sendgrid.upsert_contacts': { with: { contacts: [{ email: 'Eve@example.com', first_name: 'Eve' }] }, like: {} },
    'sendgrid.delete_contacts': { with: { emails: ['ada@example.com', 'nobody@example.com'] }, like: {} },
    'sendgrid.get_stats': { with: { id: 'c1' }, like: { items: [{ id: 'c1', stats: { opens: 3 } }] } },

    'buffer.schedule_post': { with: { channels: ['ch1', 'ch2'], text: 'Roll', media_urls: ['https://shop.example/a.png'], due_at: '2099-03-01T10:00:00Z' }, gives: { posts: ['p1', 'p2'] }, cut: 2, half: /"channelId":"ch2"/ },
    'buffer.add_to_queue': { with: { channels: ['ch1'], text: 'Roll' }, gives: { posts: ['p1'] } },
    'buffer.find_posts': { with: { channels: ['ch1'], text: 'Old' }, gives: { items: [{ id: 'p0', channel: 'ch1', due_at: '2099-01-02T10:00:00.000Z' }] } },
    'buffer.get_post': { with: { id: 'p0' }, like: { id: 'p0', text: 'Old', channel: 'ch1' } },
    'buffer.delete_post': { with: { id: 'p0' }, gives: {} },
    'buffer.list_channels': { with: {}, like: { items: [{ id: 'ch1' }, { id: 'ch2' }] } },
    'buffer.create_idea': { with: { title: 'T', text: 'An idea' }, gives: { id: 'i1' } },

    'grafana.create_dashboard': { with: { dashboard: { title: 'Shop', panels: [] }, folder: 'f1' }, gives: { uid: 'UUID', url: `${at('grafana')}/d/UUID/shop`, version: 1 } },
    'grafana.find_dashboard': { with: { uid: 'nobody' }, gives: { items: [] } },
    'grafana.get_dashboard': { with: { uid: 'd1' }, like: { uid: 'd1', folder: 'f1', version: 3 } },
    'grafana.search_dashboards': { with: { query: 'sales' }, gives: { items: [{ uid: 'd1', title: 'Sales', url: '/d/d1/sales', folder: 'f1' }] } },
    'grafana.update_dashboard': { with: { uid: 'd1', dashboard: { title: 'Sales 2', panels: [] } }, like: { uid: 'd1' } },
    'grafana.put_dashboard': { with: { uid: 'd1', dashboard: { title: 'Sales 3' }, folder: 'f1' }, like: { uid: 'd1' } },
    'grafana.delete_dashboard': { with: { uid: 'd1' }, gives: {} },
    'grafana.create_folder': { with: { title: 'New' }, gives: { uid: 'UUID', url: `${at('grafana')}/dashboards/f/UUID/New` } },
    'grafana.find_folder': { with: { uid: 'nobody' }, gives: { items: [] } },
    'grafana.delete_folder': { with: { uid: 'f2' }, gives: {}, changes: false },
    'grafana.annotate': { with: { text: 'Started', tags: ['a'] }, gives: { id: 2 } },
    'grafana.delete_annotation': { with: { id: 1 }, gives: {} },
    'grafana.create_alert_rule': { with: { title: 'Errors', folder: 'f1', group: 'shop', condition: 'A', data: [{ refId: 'A', datasourceUid: '__expr__', model: { type: 'math', expression: '1 > 0' } }] }, gives: { uid: 'UUID' } },
    'grafana.find_alert_rule': { with: { uid: 'nobody' }, gives: { items: [] } },
    'grafana.delete_alert_rule': { with: { uid: 'r0' }, gives: {} },

    'prometheus.query': { with: { query: 'up' }, like: { type: 'vector', result: [{ metric: { job: 'shop' } }] } },
    'prometheus.query_range': { with: { query: 'up', start: 1767222000 }, like: { type: 'matrix' } },
    'prometheus.series': { with: { match: ['up', 'down'] }, gives: { items: [{ __name__: 'up', job: 'shop' }] } },
    'prometheus.alerts': { with: {}, like: { items: [{ state: 'firing' }] } },
    'prometheus.push': { with: { job: 'campaign', labels: { run: 'r/1?' }, metrics: 'sent 12\n' }, gives: {} },
    'prometheus.delete_group': { with: { job: 'shop' }, gives: {} },

    's3.put_object': { with: { key: 'img/a b+ü.png', body: base64('hello'), mime: 'image/png' }, like: { etag: '"5d41402abc4b2a76b9719d911017c592"' } },
    's3.head_object': { with: { key: 'old a.txt' }, like: { items: [{ size: 11, mime: 'text/plain' }] } },
    's3.get_object': { with: { key: 'old a.txt' }, gives: { body: { ...base64('<old a.txt>'), mime: 'text/plain', size: 11 }, etag: '"e"', mime: 'text/plain' } },
    's3.list_objects': { with: { prefix: 'old' }, like: { items: [{ key: 'old a.txt', size: 11, etag: '"e"' }, { key: 'old/b.txt' }, { key: 'old/c.txt' }] } },
    's3.copy_object': { with: { key: 'new a.txt', from_key: 'old a.txt' }, gives: { etag: '"e"' } },
    's3.delete_object': { with: { key: 'old/b.txt' }, gives: {} },
    's3.presign': { with: { key: 'old a.txt', expires: 60 }, like: {}, reads: ({ url }) => fetch(url).then(async (answer) => [answer.status, await answer.text()]), finds: [200, '<old a.txt>'] },

    'wordpress.create_post': { with: { title: 'New', content: '<p>New</p>' }, gives: { id: 3, url: 'https://wordpress.test/?p=3', slug: 'UUID', status: 'draft' } },
    'wordpress.find_posts': { with: { slug: 'post-1' }, gives: { items: [{ id: 1, url: 'https://wordpress.test/?p=1', slug: 'post-1', status: 'publish' }] } },
    'wordpress.list_posts': { with: { search: 'Post' }, like: { items: [{ id: 1 }] } },
    'wordpress.get_post': { with: { id: 2 }, like: { id: 2, title: 'Post 2' } },
    'wordpress.update_post': { with: { id: 1, title: 'Other' }, like: { id: 1 } },
    'wordpress.publish': { with: { id: 2 }, like: { id: 2 } },
    'wordpress.delete_post': { with: { id: 1 }, gives: {} },
    'wordpress.upload_media': { with: { body: base64('png'), name: 'a.png', mime: 'image/png' }, gives: { id: 31, url: 'https://wordpress.test/wp-content/uploads/a.png' } },
    'wordpress.delete_media': { with: { id: 30 }, gives: {} },

    'qdrant.ensure_collection': { with: { collection: 'docs' }, like: {} },
    'qdrant.get_collection': { with: { collection: 'nobody' }, gives: { exists: false } },
    'qdrant.delete_collection': { with: { collection: 'spare' }, gives: {} },
    'qdrant.remember': { with: { key: 'old', content: 'after', subject: 'ann', vector: [0.6, 0.8] }, gives: { id: 'UUID' } },
    'qdrant.remember_many': { with: { items: [{ key: 'd#0', content: 'c', vector: [0.6, 0.8] }, { key: 'k2', content: 'd', vector: [0.8, 0.6] }], document: 'd', chunks: 1 }, gives: { ids: ['UUID', 'UUID'], dropped: 0 } },
    'qdrant.recall': { with: { vector: [0.6, 0.8], filter: { lang: 'en' }, document: 'old' }, like: { items: [{ key: 'old', content: 'before', metadata: { lang: 'en' } }] } },
    'qdrant.get': { with: { key: 'old' }, like: { item: { key: 'old', content: 'before' } } },
    'qdrant.delete': { with: { keys: ['old', 'none'] }, gives: { deleted: 1 } },
    'qdrant.get_points': { with: { ids: [OLD_POINT] }, like: { points: [{ vector: [0.6, 0.8], payload: { key: 'old' } }] } },
    'qdrant.put_points': { with: { points: [{ id: 1, vector: [1, 0], payload: {} }] }, gives: {} },

    'mcp.list_tools': { with: {}, like: { tools: [{ name: 'add_note' }] } },
    'mcp.describe_tool': { with: { name: 'add_note' }, like: { idempotent: false } },
    'mcp.call_tool': { with: { name: 'add_note', arguments: { name: 'b', text: 'second' } }, like: { text: 'added', structured: { name: 'b' } }, none: true },
    'mcp.list_resources': { with: {}, like: { resources: [{ uri: 'note://a' }] } },
    'mcp.read_resource': { with: { uri: 'note://a' }, gives: { contents: [{ uri: 'note://a', text: 'first' }] } },
    'mcp.list_prompts': { with: {}, like: { prompts: [{ name: 'summary' }] } },
    'mcp.get_prompt': { with: { name: 'summary' }, like: { description: 'summary', messages: [{ role: 'user' }] } },

    'http.get': { with: { url: '/things' }, like: { status: 200, body: [{ name: 'a' }] } },
    'http.request': { with: { method: 'POST', url: '/things', body: { name: 'b' } }, like: { status: 201, body: { id: '1' } }, none: true },
    'http.graphql': { with: { url: '/graphql', query: 'mutation { add { name } }', variables: { name: 'b' } }, gives: { data: { add: { name: 'b' } } }, none: true },
    'http.send_webhook': { with: { url: '/hooks', payload: { type: 'order.paid' } }, gives: { status: 204 } },

    'smtp.send': { with: { to: 'ada@example.com', subject: 'Hi', text: 'Hello' }, like: { accepted: 1 } },
    'smtp.send_template': { with: { to: ['ada@example.com'], subject: 'Hi {{name}}', html: '<p>{{name}}</p>', data: { name: 'Ada' } }, like: { accepted: 1 } },
    'smtp.verify': { with: {}, like: {} },

    'web.fetch': { with: { url: `${at('web')}/more`, form: 'text' }, like: { status: 200 } },
    'web.scrape_page': { with: { url: `${at('web')}/`, selectors: { headlines: 'h1, h2' } }, gives: { url: `${at('web')}/`, data: { headlines: ['Wheels', 'That roll'] } } },
    'web.scrape_batch': { with: { urls: [`${at('web')}/more`, `${at('web')}/gone`], selectors: { title: { first: 'title' } } }, like: { results: [{ ok: true, data: { title: 'More' } }, { ok: false }] } },
    'web.extract_links': { with: { url: `${at('web')}/` }, gives: { url: `${at('web')}/`, links: [{ url: `${at('web')}/more`, text: 'More' }] } },
    'web.robots_check': { with: { url: `${at('web')}/private` }, like: { allowed: false } },

    'documents.split': { with: { text: '# Title\n\nOne. Two.', mime: 'text/markdown', id: 'doc' }, like: { chunks: [{ key: 'doc#0' }] } },

    'memory.remember': { with: { key: 'new', content: 'c', vector: [0.6, 0.8], model: 'm' }, gives: { id: 'UUID' } },
    'memory.remember_many': { with: { items: [{ key: 'new', content: 'c', vector: [0.6, 0.8], model: 'm' }] }, gives: { ids: ['UUID'], dropped: 0 } },
    'memory.recall': { with: { vector: [0.6, 0.8], model: 'm' }, like: { items: [{ key: 'old', content: 'before' }] } },
    'memory.get': { with: { key: 'old' }, like: { item: { content: 'before' } } },
    'memory.delete': { with: { keys: ['old'] }, gives: { deleted: 1 } },
    'memory.list': { with: {}, like: { items: [{ key: 'old' }] } },
    'memory.stats': { with: {}, like: {} },
    ...Object.fromEntries(['render_page', 'screenshot', 'pdf', 'render_template'].map((name) => [`browser.${name}`, { skip: 'a browser takes part: tests/scenario/browser.test.mjs' }])),
    'browser.run_steps': { skip: 'a browser takes part: tests/scenario/browser_steps.test.mjs' },
    'memory.reembed': { skip: 'a model takes part: tests/scenario/memory.test.mjs' },
    'memory.get_entries': { with: { keys: ['old'] }, like: { entries: [{ key: 'old', content: 'before' }] } },
    'memory.put_entries': { with: { entries: [] }, like: {}, changes: false },
  };
}
