import { Badge, Button, Drawer, Group, Select, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState, type ReactNode } from "react";
import { Feeds } from "./Feeds";
import { DataTable, type Column } from "@/components/DataTable";
import { FilterText } from "@/components/FilterText";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { useFilters, type Filters } from "@/lib/address";
import { api, idempotencyKey, take, type Schemas } from "@/lib/api";
import { useLog } from "@/lib/log";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { status } from "@/lib/queries";
import { news as words } from "@/lib/strings";

type Article = Schemas["Article"];
const FILTERS = ["text", "currency", "symbol", "feed", "category", "from", "to"] as const;
type Change = (change: Partial<Record<(typeof FILTERS)[number], string | null>>) => void;
const CURRENCIES = ["USD", "EUR", "GBP", "JPY", "CHF", "AUD", "NZD", "CAD", "CNY", "XAU", "XAG", "XTI"];
const PAGE = 100;

const rows = (page: Schemas["News"]): readonly Article[] => page.articles ?? [];
const id = (article: Article): string => article.id;
const instant = (text: string): string => `${text}${text.length === 16 ? ":00" : ""}Z`;

/** What the feeds said, whom it concerns, and how each feed does. */
export function Page(): ReactNode {
  const [filters, change] = useFilters(FILTERS);
  const [open, setOpen] = useState<Article | null>(null);
  const { text, currency, symbol, feed, category, from, to } = filters;
  const page = useCallback(
    (cursor: string | undefined) => {
      const query = {
        limit: PAGE, text, ...(cursor ? { cursor } : {}), ...(currency ? { currency } : {}), ...(symbol ? { symbol } : {}), ...(feed ? { feed } : {}), ...(category ? { category } : {}),
        ...(from ? { from: instant(from) } : {}), ...(to ? { to: instant(to) } : {}),
      };
      return take(api.GET("/api/news", { params: { query } }));
    },
    [text, currency, symbol, feed, category, from, to],
  );
  const log = useLog({ noun: "news", filters: Object.values(filters), page, rows, id, every: 30_000 });
  const columns = useMemo((): readonly Column<Article>[] => [
    { key: "published", title: words.published, value: (one) => one.published, width: "136px", cell: (one) => <><RelativeTime wall at={one.published} />{one.date_is_estimated && <span className="warn" title={words.estimated(one.date_note)}> ≈</span>}</> },
    { key: "title", title: words.headline, value: (one) => one.title, width: "minmax(240px, 3fr)", wide: true, cell: (one) => <span title={one.summary}>{one.title}</span> },
    { key: "feed", title: words.feed, value: (one) => one.feed, width: "minmax(120px, 1fr)", cell: (one) => <span className="dim">{one.feed}</span> },
    { key: "tags", title: words.tags, value: (one) => [...one.currencies, ...one.symbols].join(" "), width: "minmax(120px, 1fr)", wide: true, cell: (one) => <span><b>{one.currencies.join(" ")}</b> <span className="dim">{one.symbols.join(" ")}</span></span> },
  ], []);
  const any = FILTERS.some((name) => filters[name] !== "");
  return (
    <>
      <h1 className="away">{words.title}</h1>
      <Bar filters={filters} change={change} any={any} head={log.head.data} />
      <div className="grid12">
        <div className="span8">
          <StateOf query={log.head} what={words.articles} height={500}>
            {(head) => (
              <>
                {head.stale && <div className="warn" role="status">{words.stale(head.error ?? words.staleAge)}</div>}
                {head.articles === null && <p className="dim">{words.nothing(head.reason ?? "")}</p>}
                {head.articles?.length === 0 && <p className="dim">{words.none}</p>}
                {log.rows.length > 0 && <DataTable label={words.articles} rows={log.rows} columns={columns} id={id} height="calc(100vh - 190px)" onEnd={log.more} onOpen={setOpen} />}
              </>
            )}
          </StateOf>
        </div>
        <section className="card span4"><h2>{words.feeds}</h2><StateOf query={log.head} what={words.feeds} height={300}>{(head) => <Feeds news={head} chosen={feed} pick={(name) => change({ feed: name })} />}</StateOf></section>
      </div>
      <Drawer opened={open !== null} onClose={() => setOpen(null)} position="right" size={480} title={open?.feed ?? ""}>
        {open && <Read article={open} change={change} close={() => setOpen(null)} />}
      </Drawer>
    </>
  );
}

function Bar({ filters, change, any, head }: { filters: Filters<(typeof FILTERS)[number]>; change: Change; any: boolean; head: Schemas["News"] | undefined }): ReactNode {
  const { data: desk } = useQuery(status);
  const may = useMay();
  const collect = useWrite(() => take(api.POST("/api/celery/tasks/data/collect-news", { params: { header: { "Idempotency-Key": idempotencyKey() } } })), {
    nouns: ["tasks", "news"], done: () => notifications.show({ message: words.collecting }),
  });
  const pick = (name: "currency" | "symbol" | "feed" | "category", label: string, data: readonly string[], width = 130): ReactNode => (
    <Select size="xs" w={width} label={label} placeholder={words.all} clearable searchable value={filters[name] || null} data={[...new Set([...data, filters[name]])].filter(Boolean)} onChange={(value) => change({ [name]: value })} />
  );
  return (
    <Group gap={10} align="end" mb={12} className="filters">
      <FilterText label={words.search} value={filters.text} onChange={(text) => change({ text })} width={190} search />
      {pick("currency", words.currency, CURRENCIES, 100)}
      {pick("symbol", words.symbol, desk?.symbols ?? [])}
      {pick("feed", words.feed, head?.feeds?.map(({ name }) => name) ?? [], 190)}
      {pick("category", words.category, head?.feeds?.map(({ category }) => category) ?? [])}
      <TextInput size="xs" type="datetime-local" label={words.from} value={filters.from} onChange={(event) => change({ from: event.currentTarget.value })} />
      <TextInput size="xs" type="datetime-local" label={words.to} value={filters.to} onChange={(event) => change({ to: event.currentTarget.value })} />
      {any && <Button size="xs" variant="subtle" onClick={() => change(Object.fromEntries(FILTERS.map((name) => [name, null])))}>{words.clear}</Button>}
      {may.trade && <Button size="xs" variant="default" ml="auto" loading={collect.isPending} onClick={() => collect.mutate(undefined)}>{words.collect}</Button>}
    </Group>
  );
}

/** Only an address of the web becomes a link. */
const web = (link: string | null): string | null => (link && /^https?:\/\//i.test(link) ? link : null);

function Read({ article, change, close }: { article: Article; change: Change; close: () => void }): ReactNode {
  const link = web(article.link);
  const only = (filter: Parameters<Change>[0]) => (): void => {
    change(filter);
    close();
  };
  return (
    <>
      <h3 style={{ margin: "0 0 6px", overflowWrap: "anywhere" }}>{article.title}</h3>
      <div className="dim"><RelativeTime wall at={article.published} />{article.date_is_estimated && `, ${words.estimated(article.date_note)}`}, {words.seen} <RelativeTime wall at={article.fetched_at} /></div>
      <p style={{ overflowWrap: "anywhere" }}>{article.summary}</p>
      <Group gap={6}>
        {article.currencies.map((one) => <Badge key={one} component="button" size="sm" variant="light" style={{ cursor: "pointer" }} aria-label={words.only(one)} onClick={only({ currency: one })}>{one}</Badge>)}
        {article.symbols.map((one) => <Badge key={one} component="button" size="sm" variant="outline" style={{ cursor: "pointer" }} aria-label={words.only(one)} onClick={only({ symbol: one })}>{one}</Badge>)}
      </Group>
      {link && <p><a href={link} target="_blank" rel="noopener noreferrer" className="link">{words.read} ↗</a> <span className="dim">{new URL(link).hostname}</span></p>}
    </>
  );
}
