import "./strategies.css";
import { autocompletion, closeBrackets, completionKeymap, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { bracketMatching, HighlightStyle, syntaxHighlighting, syntaxTree } from "@codemirror/language";
import { lintGutter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { MergeView } from "@codemirror/merge";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { getNonce } from "get-nonce";
import { useEffect, useRef, type ReactNode } from "react";
import type { Schemas } from "@/lib/api";

export type Word = { label: string; detail: string; info: string };

const look: Extension = [
  EditorView.cspNonce.of(getNonce() ?? ""),
  EditorView.theme({
    "&": { fontSize: "12px", backgroundColor: "var(--desk-card)", color: "var(--mantine-color-text)" },
    ".cm-gutters": { backgroundColor: "var(--desk-card)", color: "var(--mantine-color-dimmed)", border: "none" },
    ".cm-content": { caretColor: "var(--mantine-color-text)" },
    ".cm-cursor": { borderLeftColor: "var(--mantine-color-text)" },
    ".cm-tooltip": { backgroundColor: "var(--desk-card)", color: "var(--mantine-color-text)", border: "1px solid var(--desk-line)" },
    "&.cm-focused": { outline: "2px solid var(--mantine-primary-color-filled)" },
  }),
  syntaxHighlighting(HighlightStyle.define([
    { tag: tags.propertyName, color: "var(--up)" },
    { tag: tags.string, color: "var(--mantine-color-text)" },
    { tag: [tags.number, tags.bool, tags.null], color: "var(--down)" },
  ])),
  lineNumbers(), json(), EditorView.lineWrapping,
];

/** Where a JSON pointer's value stands in the text. */
function placeOf(state: EditorState, pointer: string): { from: number; to: number } {
  let node = syntaxTree(state).topNode.firstChild;
  for (const part of pointer.split("/").slice(1).map((one) => one.replaceAll("~1", "/").replaceAll("~0", "~"))) {
    if (node?.name === "Object") {
      const found = node.getChildren("Property").find((one) => {
        const name = one.getChild("PropertyName");
        return name && state.sliceDoc(name.from + 1, name.to - 1) === part;
      });
      if (!found) break;
      node = found.lastChild;
    } else if (node?.name === "Array") {
      let index = Number(part);
      let item = node.firstChild;
      for (; item; item = item.nextSibling) {
        if (/^[[\],⚠]$/.test(item.name)) continue;
        if (index === 0) break;
        index -= 1;
      }
      if (!item) break;
      node = item;
    }
  }
  return node && node.name !== "Object" ? { from: node.from, to: node.to } : { from: node?.from ?? 0, to: Math.min((node?.from ?? 0) + 1, state.doc.length) };
}

function diagnostic(state: EditorState, one: Schemas["ProblemAt"], severity: "error" | "warning"): Diagnostic {
  const { from, to } = placeOf(state, one.pointer);
  const line = /^line (\d+), column (\d+)/.exec(one.reason);
  if (one.pointer === "" && line) {
    const start = state.doc.line(Math.min(Number(line[1]), state.doc.lines)).from + Number(line[2]) - 1;
    const at = Math.min(start, state.doc.length);
    return { from: at, to: Math.min(at + 1, state.doc.length), severity, message: one.reason };
  }
  const at = one.column == null ? from : Math.min(from + one.column, to);
  return { from: at, to: Math.max(at, to), severity, message: one.reason };
}

/** JSON with completion of words inside strings; problems are marked where their pointer and column say. */
export function CodeEditor(props: { label: string; text: string; onText: (text: string) => void; words: readonly Word[]; checked: Schemas["Validation"] | undefined }): ReactNode {
  const { label, text, onText, words, checked } = props;
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const now = useRef({ onText, words, text });
  useEffect(() => {
    now.current = { onText, words, text };
  });
  useEffect(() => {
    if (!place.current) return undefined;
    const complete = (context: CompletionContext): CompletionResult | null => {
      const word = context.matchBefore(/[A-Za-z_]\w*/);
      if ((!word && !context.explicit) || syntaxTree(context.state).resolveInner(context.pos, -1).name !== "String") return null;
      return { from: word?.from ?? context.pos, options: now.current.words.map((one) => ({ ...one })), validFor: /^\w*$/ };
    };
    const made = new EditorView({
      parent: place.current,
      doc: now.current.text,
      extensions: [
        look, history(), bracketMatching(), closeBrackets(), lintGutter(), autocompletion({ override: [complete] }),
        keymap.of([...completionKeymap, ...historyKeymap, ...defaultKeymap]),
        EditorView.contentAttributes.of({ "aria-label": label }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged && update.state.doc.toString() !== now.current.text) now.current.onText(update.state.doc.toString());
        }),
      ],
    });
    view.current = made;
    return () => {
      view.current = null;
      made.destroy();
    };
  }, [label]);
  useEffect(() => {
    const here = view.current;
    if (here && here.state.doc.toString() !== text) here.dispatch({ changes: { from: 0, to: here.state.doc.length, insert: text } });
  }, [text]);
  useEffect(() => {
    const here = view.current;
    if (!here || !checked) return;
    const found = [...checked.problems.map((one) => diagnostic(here.state, one, "error")), ...checked.warnings.map((one) => diagnostic(here.state, one, "warning"))];
    here.dispatch(setDiagnostics(here.state, found));
  }, [checked]);
  return <div ref={place} />;
}

/** Two texts side by side with their differences. */
export function Difference({ label, before, after }: { label: string; before: string; after: string }): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!place.current) return undefined;
    const fixed = [look, EditorState.readOnly.of(true), EditorView.editable.of(false)];
    const made = new MergeView({ a: { doc: before, extensions: fixed }, b: { doc: after, extensions: fixed }, parent: place.current, collapseUnchanged: { margin: 3 } });
    return () => made.destroy();
  }, [before, after]);
  return <div role="group" aria-label={label} ref={place} />;
}
