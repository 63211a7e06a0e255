import assert from 'node:assert/strict';
import { chromium, type Browser, type Page } from 'playwright-core';
import { startApi, type ApiWorld } from '../support/api-world.ts';
import { findChromium } from '../support/chromium.ts';
import { publishSnapshot } from '../support/snapshots.ts';

/** The page in a real browser, over an API whose world is in memory. */
describe('the page', function () {
  this.timeout(60_000);
  let browser: Browser;
  let api: ApiWorld;
  let page: Page;
  let problems: string[];

  before(async () => {
    const executablePath = await findChromium();
    assert.ok(executablePath, 'no Chromium: install one, or set SEGUE_CHROMIUM to its path');
    browser = await chromium.launch({
      executablePath,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
  });
  after(() => browser?.close());
  beforeEach(async () => {
    api = await startApi();
    page = await browser.newPage();
    problems = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('503')) problems.push(message.text());
    });
  });
  afterEach(async () => {
    await page.close();
    await api.stop();
    assert.deepEqual(problems, []);
  });

  it('shows a listener their list with reasons, the chart, and another listener on request', async () => {
    await publishSnapshot(api.store, 'als-1');
    await api.snapshots.check();
    await page.goto(api.url);
    await page.locator('#items li').first().waitFor();
    assert.deepEqual(await page.locator('#items .title').allTextContents(), ['Café del Mar', 'Golden, Train']);
    assert.match((await page.locator('#items .why').first().textContent())!, /Because you played “夜の海” by 東京/);
    assert.match((await page.locator('#trending').textContent())!, /Café del Mar.*5 listeners/);
    assert.equal(await page.locator('#snapshot').textContent(), 'Model als-1');

    await page.getByLabel('User id').fill('2');
    await page.keyboard.press('Enter');
    await page.locator('#items .title', { hasText: '夜の海' }).waitFor();
    assert.equal(await page.locator('#items li').count(), 1);
  });

  it('says so when it does not know a listener, and shows what many play', async () => {
    await publishSnapshot(api.store, 'als-1');
    await api.snapshots.check();
    await page.goto(api.url);
    await page.getByLabel('User id').fill('<b>nobody</b>');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByText('We do not know this listener yet').waitFor();
    assert.ok((await page.locator('#items li').count()) > 0);
  });

  it('says what to wait for before anything is published', async () => {
    await page.goto(api.url);
    await page.getByText('The first run of initialDataLoad has to end').waitFor();
  });

  it('has the API’s documentation beside it, without anything from elsewhere', async () => {
    const foreign: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(api.url) && !request.url().startsWith('data:')) foreign.push(request.url());
    });
    await page.goto(`${api.url}/docs`);
    await page.getByText('What a user should hear next, and why').first().waitFor();
    assert.deepEqual(foreign, []);
  });
});
