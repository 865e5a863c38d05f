import { ActionIcon, Menu, Modal, SegmentedControl, Table, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Spotlight, spotlight } from "@mantine/spotlight";
import { IconDots, IconSettings } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { useEffect, type ReactNode } from "react";
import { useKeys } from "@/app/keys";
import { ON_A_PHONE, PAGES, type PageEntry } from "@/app/pages";
import { TopBar } from "@/app/TopBar";
import { api, take } from "@/lib/api";
import { useNow } from "@/lib/clock";
import { useConnection } from "@/lib/events";
import { setPrefs, usePrefs } from "@/lib/prefs";
import * as read from "@/lib/queries";
import { common, shell } from "@/lib/strings";

/** The frame of every page. */
export function Shell(): ReactNode {
  const [help, helpIs] = useDisclosure(false);
  const navigate = useNavigate();
  const pathname = useRouterState({ select: (state) => state.location.pathname });
  const { data: me } = useQuery(read.session);
  const shown = PAGES.filter(({ hidden, roles }) => !hidden && (!roles || (me?.role != null && roles.includes(me.role))));
  useKeys(shown, (to) => void navigate({ to }), helpIs.toggle);
  useEffect(() => {
    const here = PAGES.filter(({ path }) => pathname === path || (path !== "/" && pathname.startsWith(`${path}/`))).at(-1);
    document.title = here ? `${here.label} · ${shell.name}` : shell.name;
    document.getElementById("main")?.focus();
  }, [pathname]);
  return (
    <div className="frame">
      <a className="skip" href="#main">{shell.skip}</a>
      <LostBar />
      <Rail pages={shown} help={helpIs.open} />
      <TopBar />
      <main className="main" id="main" tabIndex={0}><Outlet /></main>
      <Spotlight
        shortcut="mod + K"
        nothingFound={common.nothing}
        searchProps={{ placeholder: shell.palette, "aria-label": shell.palette }}
        actions={[
          ...shown.map(({ path, label, key }) => ({ id: path, label, description: `g ${key}`, onClick: () => void navigate({ to: path }) })),
          { id: "help", label: shell.help, description: "?", onClick: helpIs.open },
        ]}
      />
      <Modal opened={help} onClose={helpIs.close} title={shell.help}>
        <Table>
          <Table.Tbody>
            {[
              ...shown.map(({ key, label }) => [`g ${key}`, label] as const),
              ["Ctrl K", shell.keys.palette], ["/", shell.keys.search], ["j k", shell.keys.next], ["Enter", shell.keys.open], ["?", shell.keys.help],
            ].map(([keys, label]) => (
              <Table.Tr key={keys}><Table.Td><kbd>{keys}</kbd></Table.Td><Table.Td>{label}</Table.Td></Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
        <p className="dim">{shell.charts}</p>
      </Modal>
    </div>
  );
}

function LostBar(): ReactNode {
  const { state, since } = useConnection();
  const now = useNow();
  if (state !== "lost") return <div role="alert" hidden />;
  return <div className="lost" role="alert">{shell.lostBar(Math.max(0, Math.round((now - since) / 1000)))}</div>;
}

function Rail({ pages, help }: { pages: readonly PageEntry[]; help: () => void }): ReactNode {
  const { data } = useQuery(read.waiting);
  const count = data?.count ?? 0;
  return (
    <nav className="rail" aria-label={shell.navigation}>
      {pages.map(({ path, label, icon: Icon }) => (
        <Link key={path} to={path} activeOptions={{ exact: path === "/" }} title={label} className={ON_A_PHONE.includes(path) ? "" : "wide"}>
          <Icon size={20} stroke={1.6} aria-hidden />
          {label}
          {path === "/ideas" && count > 0 && <span className="badge" aria-label={shell.waitingIdeas(count)}>{count}</span>}
        </Link>
      ))}
      <button type="button" className="bottom" onClick={spotlight.open}><IconDots size={20} aria-hidden />{shell.more}</button>
      <span style={{ flex: 1 }} className="wide" />
      <Person help={help} />
    </nav>
  );
}

function Person({ help }: { help: () => void }): ReactNode {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const prefs = usePrefs();
  const { data: me } = useQuery(read.session);
  const signOut = async (): Promise<void> => {
    await take(api.DELETE("/api/session"));
    location.reload();
  };
  return (
    <Menu position="right-end" closeOnItemClick={false} withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size={44} mx="auto" aria-label={shell.menu}><IconSettings size={20} stroke={1.6} /></ActionIcon>
      </Menu.Target>
      <Menu.Dropdown p="sm">
        <Menu.Label>{me?.name ?? common.notKnown} · {me?.role ?? ""}</Menu.Label>
        <SegmentedControl fullWidth size="xs" mb={6} value={colorScheme === "light" ? "light" : "dark"} aria-label={shell.appearance}
          onChange={(value) => setColorScheme(value === "light" ? "light" : "dark")}
          data={[{ value: "dark", label: shell.dark }, { value: "light", label: shell.light }]} />
        <SegmentedControl fullWidth size="xs" mb={6} value={prefs.density}
          onChange={(value) => setPrefs({ density: value === "normal" ? "normal" : "dense" })}
          data={[{ value: "dense", label: shell.dense }, { value: "normal", label: shell.normal }]} />
        <SegmentedControl fullWidth size="xs" value={prefs.pair} aria-label={shell.colours}
          onChange={(value) => setPrefs({ pair: value === "green-red" ? "green-red" : "blue-orange" })}
          data={[{ value: "blue-orange", label: shell.blueOrange }, { value: "green-red", label: shell.greenRed }]} />
        <Menu.Divider />
        <Menu.Item onClick={help} closeMenuOnClick>{shell.help}</Menu.Item>
        {me?.way === "session" && <Menu.Item onClick={() => void signOut()}>{shell.signOut}</Menu.Item>}
      </Menu.Dropdown>
    </Menu>
  );
}
