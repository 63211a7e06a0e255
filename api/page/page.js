const byId = (id) => document.getElementById(id);
const tiers = {
  personal: 'Made for this listener.',
  cold_start: 'A first guess from few listens.',
  trending: 'We do not know this listener yet: this is what many people play.',
};

byId('listener').addEventListener('submit', (event) => {
  event.preventDefault();
  void showListener(byId('user').value.trim());
});

await Promise.allSettled([showListener(byId('user').value), showTrending(), showRuns()]);
setInterval(() => void showRuns(), 3000);
watchPublications();

async function showListener(user) {
  const answer = await ask(`/recommendations/${encodeURIComponent(user)}`);
  byId('message').textContent = answer.problem ?? '';
  byId('tier').textContent = answer.problem ? '' : tiers[answer.tier];
  byId('items').replaceChildren(...(answer.items ?? []).map(recommendedItem));
  if (answer.model_version) byId('snapshot').textContent = `Model ${answer.model_version}`;
}

async function showTrending() {
  const answer = await ask('/trending?limit=10');
  byId('week').textContent = answer.week_end ? `in the week to ${answer.week_end}` : '';
  byId('trending').replaceChildren(
    ...(answer.items ?? []).map((item) => trackItem(item, `${item.unique_listeners} listeners`)),
  );
}

async function showRuns() {
  const answer = await ask('/pipeline/runs');
  const items = (answer.items ?? []).slice(0, 6).map(runItem);
  byId('runs').replaceChildren(...(items.length > 0 ? items : [element('li', '', answer.problem ?? 'No run yet.')]));
}

function watchPublications() {
  const events = new EventSource('/events/stream?types=pipeline');
  events.addEventListener('pipeline', (event) => {
    void showRuns();
    if (JSON.parse(event.data).stage !== 'published') return;
    setTimeout(() => void Promise.allSettled([showListener(byId('user').value.trim()), showTrending()]), 3000);
  });
}

function recommendedItem(item) {
  return trackItem(item, item.reason.text);
}

function trackItem(item, why) {
  const row = element('li');
  const text = element('span');
  text.append(
    element('span', 'title', item.title),
    ' ',
    element('span', 'by', item.artist_name),
    element('span', 'why', why),
  );
  row.append(element('span', 'rank', String(item.rank)), text);
  return row;
}

function runItem(run) {
  const row = element('li');
  const { progress } = run;
  row.append(element('span', 'title', `${run.type}: ${progress?.stage ?? run.status}`));
  const spark = progress?.spark;
  if (spark) row.append(bar(spark.tasksDone, spark.tasksTotal, `${spark.step}`));
  else if (progress?.stage === 'uploading')
    row.append(bar(progress.uploadBytes.done, progress.uploadBytes.total, 'bytes uploaded'));
  row.append(element('span', 'why', `${run.workflow_id}, started ${new Date(run.started_at).toLocaleString()}`));
  return row;
}

function bar(done, total, label) {
  const progress = document.createElement('progress');
  progress.max = Math.max(total, 1);
  progress.value = done;
  progress.setAttribute('aria-label', label);
  return progress;
}

function element(name, className = '', text = '') {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/** The answer, or the error as `problem`, in words. */
async function ask(path) {
  try {
    const response = await fetch(path, { headers: { accept: 'application/json' } });
    const body = await response.json();
    return response.ok ? body : { problem: body.detail ?? body.title };
  } catch {
    return { problem: 'The API does not answer.' };
  }
}
