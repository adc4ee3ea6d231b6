package viz

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// page is one of two scenes, the second of two layers, with a picture.
func page(t testing.TB) string {
	t.Helper()
	p, err := HiddenUnits("Hidden units", mustUnits(t))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = Page{
		Title: `Attention of <script>alert("x")</script>`,
		Scenes: []Scene{
			{"first </script><b>", "says disc", disc(32), []Attention{attention(t, "Block 1", 4, 6)}},
			{"second", "", disc(16), []Attention{attention(t, "Block 1", 2, 4), attention(t, "Block 3", 1, 4)}},
		},
		Pictures: []*Picture{p},
	}.Write(&out)
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func mustUnits(t testing.TB) Units {
	t.Helper()
	u, err := NewUnits("Block 1", waves(4, 8), 8)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestPageStandsAlone: it names nothing outside, its policy lets in only its
// own style and script, and what is text stays text.
func TestPageStandsAlone(t *testing.T) {
	page := page(t)
	for _, found := range regexp.MustCompile(`(?i)(?:src|href|action|url)\s*[=(]\s*["']?([^"'\s>)]*)`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(found[1], "data:") && !strings.HasPrefix(found[1], "#") && !strings.HasPrefix(found[1], "scene.image") {
			t.Errorf("the page refers to %.80q", found[0])
		}
	}
	if strings.Contains(page, "://") {
		t.Error("the page holds an address")
	}
	for _, tag := range []string{"style", "script"} {
		inside := regexp.MustCompile(`(?s)<`+tag+`>(.*?)</`+tag+`>`).FindAllStringSubmatch(page, -1)
		if len(inside) != 1 {
			t.Fatalf("%d %s elements, want 1", len(inside), tag)
		}
		if want := tag + "-src '" + hash(inside[0][1]) + "'"; !strings.Contains(html.UnescapeString(page), want) {
			t.Errorf("the policy does not allow the page's own %s: no %s", tag, want)
		}
	}
	if strings.Contains(page, " style=") || regexp.MustCompile(`\son[a-z]+=`).MatchString(page) {
		t.Error("inline styles or handlers, which the policy forbids")
	}
	if strings.Contains(page, "<script>alert") || strings.Contains(page, "first </script>") {
		t.Error("a name became markup")
	}
	for _, want := range []string{"default-src 'none'", `<html lang="en">`, "prefers-color-scheme:dark", `alt="Hidden units.`, "<noscript>"} {
		if !strings.Contains(html.UnescapeString(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestPageRefuses a page of nothing, and a scene whose layers don't go together.
func TestPageRefuses(t *testing.T) {
	for name, p := range map[string]Page{
		"nothing":       {Title: "x"},
		"no layers":     {Scenes: []Scene{{Name: "x", Image: disc(8)}}},
		"no image":      {Scenes: []Scene{{Name: "x", Layers: []Attention{attention(t, "Block 1", 1, 2)}}}},
		"unlike layers": {Scenes: []Scene{{Name: "x", Image: disc(8), Layers: []Attention{attention(t, "Block 1", 1, 2), attention(t, "Block 2", 1, 3)}}}},
	} {
		var out bytes.Buffer
		if err := p.Write(&out); err == nil || !strings.Contains(err.Error(), "allowed: ") || out.Len() > 0 {
			t.Errorf("%s: %v, %d bytes written", name, err, out.Len())
		}
	}
}

// TestPageInBrowser: pointer and keyboard choose the query, heads, layers and
// scenes can be chosen, all under the page's own policy. The script of the test
// is let in by its hash and writes what it saw into the title.
func TestPageInBrowser(t *testing.T) {
	page := page(t)
	script := `"use strict";
setTimeout(() => {
const out = [], say = (name, value) => out.push(name + "=" + value), $ = id => document.getElementById(id);
const where = () => $("where").textContent, buttons = () => [...$("patches").children];
const maps = () => [...$("maps").children].filter(f => !f.hidden).length;
const over = b => b.dispatchEvent(new PointerEvent("pointerover", {bubbles: true, pointerType: "mouse"}));
const key = (e, k) => e.dispatchEvent(new KeyboardEvent("keydown", {key: k, bubbles: true, cancelable: true}));
say("patches", buttons().length); say("maps", maps()); say("start", where());
over(buttons()[7]); say("hover", where());
say("most", $("maps").children[0].querySelector("span").textContent.split(" (")[0]);
say("pixel", [...$("maps").children[0].querySelector("canvas").getContext("2d").getImageData(0, 0, 1, 1).data].length);
buttons()[7].click(); over(buttons()[20]); say("held", where() + " " + buttons()[7].getAttribute("aria-pressed"));
key(document, "Escape"); over(buttons()[20]); say("let go", where());
buttons()[20].focus(); key(buttons()[20], "ArrowRight"); key(document.activeElement, "ArrowDown"); say("arrows", where());
say("focus", document.activeElement.dataset.patch); key(document.activeElement, "Home"); say("home", where());
key(document.activeElement, "ArrowLeft"); say("edge", where());
say("stops", buttons().filter(b => b.tabIndex === 0).length);
$("heads").querySelector("input").click(); say("heads", maps());
say("said", $("said").textContent.split(" (")[0]);
$("own").click(); say("scale", /^[0-9.]+ %$/.test($("high").textContent));
$("scene").value = 1; $("scene").dispatchEvent(new Event("change")); say("scene", buttons().length + " " + maps());
$("layer").value = 1; $("layer").dispatchEvent(new Event("change")); say("layer", maps());
say("wide", document.documentElement.scrollWidth > innerWidth);
say("picture", document.querySelector(".pictures img").naturalWidth);
document.title = out.join("; ");
}, 300);`
	sum := sha256.Sum256([]byte(script))
	page = regexp.MustCompile(`script-src (&#39;|')`).ReplaceAllString(page, "script-src ${1}sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"${1} ${1}")
	page = strings.Replace(page, "</body>", "<script>"+script+"</script></body>", 1)
	for _, width := range []string{"1280,900", "400,800"} {
		document, console := chromium(t, page, "--window-size="+width)
		if console != "" {
			t.Errorf("the console at %s says: %s", width, console)
		}
		title := regexp.MustCompile(`<title>([^<]*)</title>`).FindStringSubmatch(document)
		if title == nil {
			t.Fatalf("no title in what the browser returned: %.300s", document)
		}
		got := strings.Split(html.UnescapeString(title[1]), "; ")
		want := []string{
			"patches=36", "maps=4", "start=Query: row 4, column 4", "hover=Query: row 2, column 2", "most=most: row 2, column 2", "pixel=4",
			"held=Query: row 2, column 2 (held) true", "let go=Query: row 4, column 3", "arrows=Query: row 5, column 4", "focus=27",
			"home=Query: row 5, column 1", "edge=Query: row 5, column 1", "stops=1", "heads=3", "said=From row 5, column 1: head 2 most at row 5, column 1",
			"scale=true", "scene=16 2", "layer=1", "wide=false", "picture=960",
		}
		if !slices.Equal(got, want) {
			t.Errorf("at %s the page did\n%s\nwant\n%s", width, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// chromium runs a page in a real browser and returns its document afterwards
// and what its console said.
func chromium(t *testing.T, page string, args ...string) (document, console string) {
	t.Helper()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("no Chromium in PATH: the page is not tried in a browser")
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "page.html")
	if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--user-data-dir=" + folder,
		"--enable-logging=stderr", "--v=0", "--virtual-time-budget=5000", "--dump-dom",
	}, append(args, "file://"+path)...)...)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", browser, err, log.String())
	}
	var said []string
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "CONSOLE") {
			said = append(said, strings.TrimSpace(line))
		}
	}
	return out.String(), strings.Join(said, "\n")
}
