// Package cloudcontrol is the only code that talks to AWS.
//
// The SDK's types and errors stop here: the rest sees small structs, and errors
// that name the call and match a sentinel. Every page of a list is given, or
// an error is; an answer that makes no sense is an error too, never fewer rows.
package cloudcontrol

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/account"
	acctypes "github.com/aws/aws-sdk-go-v2/service/account/types"
	cc "github.com/aws/aws-sdk-go-v2/service/cloudcontrol"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

// Options say how to reach AWS. The zero value is the SDK's default chain.
type Options struct {
	Profile  string
	Endpoint string // for every service; empty: the SDK's own rules
	Region   string // beats the profile's and the environment's
	// RoleName is the role to assume in accounts other than the caller's.
	RoleName, ExternalID, SessionName string
	// Static are keys to use without looking anywhere else.
	Static   *Credentials
	Parallel int           // calls in flight to prepare for; 0: 64
	Connect  time.Duration // 0: 5 s
	Call     time.Duration // 0: 60 s
	Logger   *slog.Logger
}

// Credentials are a key pair, as for a sandbox.
type Credentials struct{ AccessKey, SecretKey string }

// A Cloud is one set of credentials, with a client for each account and region
// that was asked for. It is safe for concurrent use.
type Cloud struct {
	options Options
	config  aws.Config

	identity func(ctx context.Context) (Identity, error)

	mu      sync.Mutex
	clients map[[2]string]*Client
	configs map[string]aws.Config // by account: one assumed role for all its regions
	enabled map[string][]string
}

// An Identity is who the credentials belong to.
type Identity struct{ Account, ARN, Partition string }

// Open loads the SDK's configuration. It makes no call to AWS.
func Open(ctx context.Context, o Options) (*Cloud, error) {
	if o.Parallel == 0 {
		o.Parallel = 64
	}
	if o.Connect == 0 {
		o.Connect = 5 * time.Second
	}
	if o.Call == 0 {
		o.Call = 60 * time.Second
	}
	c := &Cloud{options: o, clients: map[[2]string]*Client{}, configs: map[string]aws.Config{}, enabled: map[string][]string{}}
	client := httpClient(o)
	if o.Static != nil {
		// Nothing of the user's AWS configuration has a say where keys are given.
		c.config = aws.Config{Region: o.Region, HTTPClient: client, Logger: sdkLog(o.Logger),
			Credentials: credentials.NewStaticCredentialsProvider(o.Static.AccessKey, o.Static.SecretKey, "")}
	} else {
		opts := []func(*config.LoadOptions) error{config.WithHTTPClient(client), config.WithLogger(sdkLog(o.Logger))}
		if o.Profile != "" {
			opts = append(opts, config.WithSharedConfigProfile(o.Profile))
		}
		if o.Region != "" {
			opts = append(opts, config.WithRegion(o.Region))
		}
		cfg, err := config.LoadDefaultConfig(ctx, opts...)
		if err != nil {
			return nil, &Error{Op: "load AWS configuration", Code: "ConfigError", Message: err.Error(), kind: ErrCredentials, Err: err}
		}
		c.config = cfg
	}
	c.config.APIOptions = append(c.config.APIOptions, plainBody)
	if o.Endpoint != "" {
		c.config.BaseEndpoint = aws.String(o.Endpoint)
	}
	c.identity = once(c.callerIdentity)
	return c, nil
}

// sdkLog takes what the SDK would write to standard error.
func sdkLog(l *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(c logging.Classification, format string, args ...any) {
		if l != nil {
			l.Debug("sdk", "level", string(c), "text", fmt.Sprintf(format, args...))
		}
	})
}

func httpClient(o Options) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(o.Call).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = o.Connect }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, o.Parallel
			t.TLSHandshakeTimeout = o.Connect
		})
}

// once shares one call among all who ask. A failure is asked again.
func once[T any](f func(context.Context) (T, error)) func(context.Context) (T, error) {
	var mu sync.Mutex
	var done bool
	var v T
	return func(ctx context.Context) (T, error) {
		mu.Lock()
		defer mu.Unlock()
		if done {
			return v, nil
		}
		got, err := f(ctx)
		if err == nil {
			v, done = got, true
		}
		return got, err
	}
}

// Region is the profile's region, or "" for none.
func (c *Cloud) Region() string { return c.config.Region }

// Endpoint is the endpoint that was given instead of AWS's, or "".
func (c *Cloud) Endpoint() string { return aws.ToString(c.config.BaseEndpoint) }

// home is a region to ask for what has none of its own.
func (c *Cloud) home() string {
	if c.config.Region != "" {
		return c.config.Region
	}
	return "us-east-1"
}

// Identity asks whose credentials these are, once.
func (c *Cloud) Identity(ctx context.Context) (Identity, error) { return c.identity(ctx) }

func (c *Cloud) callerIdentity(ctx context.Context) (Identity, error) {
	out, err := sts.NewFromConfig(c.config, func(o *sts.Options) { o.Region = c.home() }).GetCallerIdentity(ctx, nil)
	if err != nil {
		return Identity{}, translate(err, Error{Op: "GetCallerIdentity", Region: c.home(), profile: c.options.Profile})
	}
	id := Identity{Account: aws.ToString(out.Account), ARN: aws.ToString(out.Arn), Partition: "aws"}
	if id.Account == "" {
		return Identity{}, &Error{Op: "GetCallerIdentity", Region: c.home(), Code: "NoAccount", Message: "the answer names no account", kind: ErrUnreachable}
	}
	if p := splitARN(id.ARN, 1); p != "" {
		id.Partition = p
	}
	return id, nil
}

func splitARN(arn string, part int) string {
	start := 0
	for i := 0; i < len(arn); i++ {
		if arn[i] != ':' {
			continue
		}
		if part == 0 {
			return arn[start:i]
		}
		part--
		start = i + 1
	}
	return ""
}

// EnabledRegions asks which regions an account has enabled, once for each.
func (c *Cloud) EnabledRegions(ctx context.Context, acct string) ([]string, error) {
	c.mu.Lock()
	got, ok := c.enabled[acct]
	c.mu.Unlock()
	if ok {
		return got, nil
	}
	cfg, err := c.configOf(ctx, acct)
	if err != nil {
		return nil, err
	}
	p := account.NewListRegionsPaginator(account.NewFromConfig(cfg, func(o *account.Options) { o.Region = c.home() }), &account.ListRegionsInput{
		RegionOptStatusContains: []acctypes.RegionOptStatus{acctypes.RegionOptStatusEnabled, acctypes.RegionOptStatusEnabledByDefault}},
		func(o *account.ListRegionsPaginatorOptions) { o.StopOnDuplicateToken = true })
	var out []string
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, translate(err, Error{Op: "ListRegions", Account: acct, Region: c.home(), profile: c.options.Profile})
		}
		for _, r := range page.Regions {
			switch r.RegionOptStatus { // the filter is a wish: what comes is looked at
			case acctypes.RegionOptStatusEnabled, acctypes.RegionOptStatusEnabledByDefault:
				out = append(out, aws.ToString(r.RegionName))
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enabled[acct] = out
	return out, nil
}

// An AccountInfo is one account of the organisation.
type AccountInfo struct{ ID, Name, Status string }

// Accounts lists the organisation's accounts.
func (c *Cloud) Accounts(ctx context.Context) ([]AccountInfo, error) {
	p := organizations.NewListAccountsPaginator(organizations.NewFromConfig(c.config, func(o *organizations.Options) { o.Region = c.home() }), nil,
		func(o *organizations.ListAccountsPaginatorOptions) { o.StopOnDuplicateToken = true })
	var out []AccountInfo
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, translate(err, Error{Op: "ListAccounts", Region: c.home(), profile: c.options.Profile})
		}
		for _, a := range page.Accounts {
			out = append(out, AccountInfo{aws.ToString(a.Id), aws.ToString(a.Name), string(a.Status)})
		}
	}
	return out, nil
}

// configOf gives the configuration for an account: another one than the
// caller's is reached by assuming the role there, once for all its regions.
func (c *Cloud) configOf(ctx context.Context, acct string) (aws.Config, error) {
	me, err := c.Identity(ctx)
	if err != nil || acct == "" || acct == me.Account {
		return c.config.Copy(), err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if cfg, ok := c.configs[acct]; ok {
		return cfg, nil
	}
	cfg, err := c.assuming(me, acct)
	if err == nil {
		c.configs[acct] = cfg
	}
	return cfg, err
}

// assuming is the configuration with the role of an account. No call is made
// before its credentials are needed.
func (c *Cloud) assuming(me Identity, acct string) (aws.Config, error) {
	cfg := c.config.Copy()
	if c.options.RoleName == "" {
		return cfg, &Error{Op: "AssumeRole", Account: acct, Region: c.home(), Code: "NoRole", kind: ErrNoRole,
			Message: fmt.Sprintf("the credentials are for account %s, and no role is set to assume in %s", me.Account, acct)}
	}
	arn := fmt.Sprintf("arn:%s:iam::%s:role/%s", me.Partition, acct, c.options.RoleName)
	client := sts.NewFromConfig(c.config, func(o *sts.Options) { o.Region = c.home() })
	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, arn, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = c.options.SessionName
		if o.RoleSessionName == "" {
			o.RoleSessionName = "skyql"
		}
		if c.options.ExternalID != "" {
			o.ExternalID = aws.String(c.options.ExternalID)
		}
	}))
	return cfg, nil
}

// A Client calls Cloud Control in one account and region. It is safe for
// concurrent use.
type Client struct {
	api             *cc.Client
	credentials     aws.CredentialsProvider
	account, region string
	profile         string
}

// Client gives the client of an account and region, made when first needed.
func (c *Cloud) Client(ctx context.Context, acct, region string) (*Client, error) {
	key := [2]string{acct, region}
	c.mu.Lock()
	cl := c.clients[key]
	c.mu.Unlock()
	if cl != nil {
		return cl, nil
	}
	cfg, err := c.configOf(ctx, acct)
	if err != nil {
		return nil, err
	}
	cl = &Client{account: acct, region: region, profile: c.options.Profile, credentials: cfg.Credentials,
		api: cc.NewFromConfig(cfg, func(o *cc.Options) { o.Region, o.Retryer = region, noRetries() })}
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.clients[key]; other != nil {
		return other, nil
	}
	c.clients[key] = cl
	return cl, nil
}

// refreshed makes a call once more with new credentials if the old ones have
// expired.
func refreshed[T any](c *Client, call func() (T, error)) (T, error) {
	out, err := call()
	if cache, ok := c.credentials.(*aws.CredentialsCache); ok && strings.HasPrefix(codeOf(err), "expiredtoken") {
		cache.Invalidate()
		return call()
	}
	return out, err
}

// A Document is one resource: its properties as JSON text, an object.
type Document struct {
	Identifier string
	Properties json.RawMessage
}

// Get reads one resource.
func (c *Client) Get(ctx context.Context, typ, id string) (Document, error) {
	call := Error{Op: "GetResource", Type: typ, Identifier: id, Account: c.account, Region: c.region, profile: c.profile}
	out, err := refreshed(c, func() (*cc.GetResourceOutput, error) {
		return c.api.GetResource(ctx, &cc.GetResourceInput{TypeName: &typ, Identifier: &id})
	})
	if err != nil {
		return Document{}, translate(err, call)
	}
	if out.ResourceDescription == nil {
		return Document{}, call.garbage("no ResourceDescription")
	}
	return document(out.ResourceDescription.Identifier, out.ResourceDescription.Properties, call)
}

// document checks what an answer says of a resource.
func document(id, properties *string, call Error) (Document, error) {
	if aws.ToString(id) == "" {
		return Document{}, call.garbage("a resource without identifier")
	}
	d := Document{Identifier: *id, Properties: json.RawMessage(aws.ToString(properties))}
	if len(d.Properties) == 0 {
		d.Properties = json.RawMessage("{}")
	}
	if !isObject(d.Properties) {
		return Document{}, call.garbage(fmt.Sprintf("properties of %s that are no JSON object", *id))
	}
	return d, nil
}

func isObject(text []byte) bool {
	for _, b := range text {
		if b != ' ' && b != '\t' && b != '\n' && b != '\r' {
			return b == '{' && json.Valid(text)
		}
	}
	return false
}

// A Page is one page of a list; it may be empty. Next is the token of the next
// one, "" at the end.
type Page struct {
	Documents []Document
	Next      string
}

// List gives a page of a type's resources. model is the ResourceModel, nil for
// none; token is the last page's Next, "" for the first page. Whoever asks must
// watch for a token that comes again.
func (c *Client) List(ctx context.Context, typ string, model json.RawMessage, token string) (Page, error) {
	call := Error{Op: "ListResources", Type: typ, Account: c.account, Region: c.region, profile: c.profile}
	in := &cc.ListResourcesInput{TypeName: &typ}
	if len(model) > 0 {
		in.ResourceModel = aws.String(string(model))
	}
	if token != "" {
		in.NextToken = &token
	}
	out, err := refreshed(c, func() (*cc.ListResourcesOutput, error) { return c.api.ListResources(ctx, in) })
	if err != nil {
		return Page{}, translate(err, call)
	}
	if out.TypeName == nil && out.ResourceDescriptions == nil {
		return Page{}, call.garbage("neither TypeName nor ResourceDescriptions")
	}
	docs := make([]Document, 0, len(out.ResourceDescriptions))
	for _, r := range out.ResourceDescriptions {
		d, err := document(r.Identifier, r.Properties, call)
		if err != nil {
			return Page{}, err
		}
		docs = append(docs, d)
	}
	return Page{docs, aws.ToString(out.NextToken)}, nil
}
