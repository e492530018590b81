/// <reference lib="dom" />
/**
 * The report in Debian's Chromium: it loads nothing, complains of nothing, is readable in both colour schemes and on
 * a narrow screen, and prints. BOOTSEAL_SCREENSHOTS=FOLDER keeps pictures to look at.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { renderReport, type ReportInput } from '../../src/serve/report/page.ts';
import {
  brokenChain,
  goodChain,
  hostileChain,
  hostileText,
  MANIFEST_DIGEST,
  warnedChain,
} from '../support/chains.ts';

const CHROMIUM = '/usr/bin/chromium';
const pictures = process.env['BOOTSEAL_SCREENSHOTS'];

const subject = {
  image: 'docker://quay.io/acme/os:10-sealed',
  digest: MANIFEST_DIGEST,
  when: '2026-11-21T13:40:00Z',
};
const command = `bootseal verify --sealed --cert db.crt docker://quay.io/acme/os@${MANIFEST_DIGEST}`;
const reports: Readonly<Record<string, ReportInput>> = {
  good: { ...subject, ok: true, steps: goodChain, command, generator: 'bootseal' },
  warned: { ...subject, ok: true, steps: warnedChain, command },
  broken: { ...subject, ok: false, steps: brokenChain, command },
  hostile: {
    image: hostileText,
    digest: hostileText,
    when: hostileText,
    ok: false,
    steps: hostileChain,
    command: hostileText,
  },
};

let browser: Browser;
let folder: string;

before(async () => {
  assert.ok(existsSync(CHROMIUM), 'Chromium is missing: apt-get install chromium');
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  folder = await mkdtemp(join(tmpdir(), 'bootseal-report-'));
});

after(async () => {
  await browser?.close();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

interface Opened {
  readonly page: Page;
  readonly requests: string[];
  readonly complaints: string[];
}

async function open(
  name: string,
  options: { colorScheme?: 'light' | 'dark'; width?: number } = {},
): Promise<Opened> {
  const file = join(folder, `${name}.html`);
  await writeFile(file, renderReport(reports[name]));
  const page = await browser.newPage({
    colorScheme: options.colorScheme ?? 'light',
    viewport: { width: options.width ?? 1000, height: 800 },
  });
  const requests: string[] = [];
  const complaints: string[] = [];
  const url = pathToFileURL(file).href;
  page.on('request', (request) => void (request.url() === url || requests.push(request.url())));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => void dialog.dismiss().then(() => complaints.push('dialog')));
  await page.goto(url);
  if (pictures !== undefined) {
    const path = join(pictures, `${name}-${options.colorScheme ?? 'light'}-${options.width ?? 1000}.png`);
    await page.screenshot({ path, fullPage: true });
  }
  return { page, requests, complaints };
}

/** WCAG 2 contrast of every text against the colour that is painted behind it; the lowest, and whose it is. */
async function lowestContrast(page: Page): Promise<{ ratio: number; text: string }> {
  return page.evaluate(() => {
    const channel = (value: number): number => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    };
    const parse = (color: string): number[] => (color.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (color: number[]): number =>
      0.2126 * channel(color[0]) + 0.7152 * channel(color[1]) + 0.0722 * channel(color[2]);
    const behind = (start: Element): number[] => {
      for (let element: Element | null = start; element !== null; element = element.parentElement) {
        const color = parse(getComputedStyle(element).backgroundColor);
        if (color.length < 4 || color[3] === 1) return color;
      }
      return [255, 255, 255];
    };
    let lowest = { ratio: 99, text: '' };
    for (const element of document.querySelectorAll('main *')) {
      const own = [...element.childNodes].some(
        (node) => node.nodeType === 3 && node.textContent!.trim() !== '',
      );
      if (!own) continue;
      const pair = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))].sort(
        (a, b) => b - a,
      );
      const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
      if (ratio < lowest.ratio) lowest = { ratio, text: element.textContent.slice(0, 60) };
    }
    return lowest;
  });
}

for (const name of Object.keys(reports)) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`${name} chain, ${colorScheme}: no request, no complaint, enough contrast`, async () => {
      const { page, requests, complaints } = await open(name, { colorScheme });
      assert.deepEqual(requests, []);
      assert.deepEqual(complaints, []);
      const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(dark === 'rgb(14, 17, 22)', colorScheme === 'dark');
      const lowest = await lowestContrast(page);
      assert.ok(lowest.ratio >= 4.5, `contrast ${lowest.ratio.toFixed(2)} of "${lowest.text}"`);
      await page.close();
    });
  }

  test(`${name} chain on a narrow screen: nothing to scroll sideways`, async () => {
    const { page } = await open(name, { width: 360 });
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert.equal(overflow, 0);
    await page.close();
  });
}

test('headings, list and state words say everything without colour or marks', async () => {
  const { page } = await open('broken');
  await assert.doesNotReject(
    page.getByRole('heading', { level: 1, name: 'Broken' }).waitFor({ timeout: 2000 }),
  );
  const titles = await page.getByRole('heading', { level: 2 }).allInnerTexts();
  assert.equal(titles.length, brokenChain.length);
  assert.match(titles[4], /seal\s+broken/i);
  assert.match(titles[5], /not checked/);
  assert.equal(await page.locator('ol.chain > li').count(), brokenChain.length);
  const hidden = await page
    .locator('.mark')
    .evaluateAll((marks) => marks.every((mark) => mark.getAttribute('aria-hidden') === 'true'));
  assert.ok(hidden);
  await page.close();
});

test('the link in the verdict leads to the broken link', async () => {
  const { page } = await open('broken');
  await page.locator('.verdict a').click();
  assert.ok(page.url().endsWith('#link-5'));
  await page.close();
});

test('one click selects a whole digest', async () => {
  const { page } = await open('good');
  await page.locator('.subject .digest').click();
  assert.equal(await page.evaluate(() => getSelection()!.toString()), MANIFEST_DIGEST);
  await page.close();
});

test('a hostile image runs nothing', async () => {
  const { page } = await open('hostile');
  assert.notEqual(await page.title(), 'owned');
  assert.equal(await page.locator('script, img, iframe, link').count(), 0);
  await page.close();
});

test('it prints, light on paper even for readers of dark pages', async () => {
  const { page } = await open('broken', { colorScheme: 'dark' });
  const pdf = await page.pdf({ format: 'A4' });
  assert.equal(pdf.subarray(0, 5).toString('latin1'), '%PDF-');
  await page.emulateMedia({ media: 'print' });
  const body = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(body, 'rgb(255, 255, 255)');
  if (pictures !== undefined) await writeFile(join(pictures, 'broken.pdf'), pdf);
  await page.close();
});
