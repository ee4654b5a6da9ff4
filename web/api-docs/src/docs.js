window.ui = SwaggerUIBundle({
	url: '/api/v1/openapi.json',
	dom_id: '#api',
	deepLinking: true,
	docExpansion: 'list',
	filter: true,
	tryItOutEnabled: true,
	displayRequestDuration: true,
	validatorUrl: null, // no other server hears of it
});
